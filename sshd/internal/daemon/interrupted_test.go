package daemon

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAServerWithoutKeysWaitsForNoLockThatItsStopHolds(t *testing.T) {
	path, _, state, release := keylessUnderLock(t)
	defer release()
	eventually(t, "it ends while another command is at work", func() bool {
		pid, err := state.Holder()
		return err == nil && pid == 0
	})
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the folder went under another's lock: %v", err)
	}
}

// The last key goes; while its session ends, somebody else comes and is told that the server runs.
func TestAKeyThatComesAsTheLastGoesLetsIn(t *testing.T) {
	path, me, you := statePath(t), newPerson(t, "me"), newPerson(t, "you")
	first := start(t, path, func(c *Config) { c.AuthorizedKeys, c.KeylessExit = []string{me.line}, true })
	client, err := dial(first, me)
	must(t, err)
	defer func() { _ = client.Close() }()
	session, err := client.NewSession()
	must(t, err)
	must(t, session.Start("trap : HUP; exec 2>/dev/null; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done")) // it takes its time to end
	must(t, os.Remove(filepath.Join(path, "authorized_keys")))
	_ = client.Wait()
	second := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{you.line} })
	eventually(t, "the other key lets in", func() bool {
		client, err := dial(second, you)
		if err != nil {
			return false
		}
		_ = client.Close()
		return true
	})
}

func TestAServerThatCannotBeStartedAgainAtOnceIsTriedAgain(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	settings := filepath.Join(path, "settings.json")
	good, err := os.ReadFile(settings)
	must(t, err)
	must(t, os.WriteFile(settings, []byte("{"), 0o600))
	must(t, syscall.Kill(serverOf(t, answer.Server.PID), syscall.SIGKILL))
	eventually(t, "it cannot start", func() bool {
		log, err := os.ReadFile(answer.Log)
		return err == nil && strings.Contains(string(log), "no server: ")
	})
	must(t, os.WriteFile(settings, good, 0o600))
	client, err := dial(answer, me)
	must(t, err)
	_ = client.Close()
}

func TestAStopIsHeardWhileNoServerCanBeStarted(t *testing.T) {
	path := statePath(t)
	answer := start(t, path, nil)
	must(t, os.WriteFile(filepath.Join(path, "settings.json"), []byte("{"), 0o600))
	must(t, syscall.Kill(serverOf(t, answer.Server.PID), syscall.SIGKILL))
	before := time.Now()
	if _, err := Stop(context.Background(), path, false); err != nil {
		t.Error(err)
	}
	if took := time.Since(before); took >= stopPatience {
		t.Errorf("it had to be killed, after %s", took)
	}
}

func TestAServerWhoseSuccessorCannotBeWrittenDownGoesOn(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	settings := filepath.Join(path, "settings.json")
	must(t, os.Remove(settings))
	must(t, os.Mkdir(settings, 0o700)) // no file can be put there, as on a full disk
	defer func() { must(t, os.Remove(settings)) }()
	if answer, err := Start(context.Background(), path, configured(func(c *Config) { c.Replace = "always" })); err == nil {
		t.Fatalf("%+v", answer)
	}
	client, err := dial(answer, me)
	must(t, err)
	_ = client.Close()
}

// It is not the file that lies at the program's path by then, and it has its name.
func TestTheServerIsTheProgramThatStartedIt(t *testing.T) {
	path := statePath(t)
	answer := start(t, path, nil)
	mine, err := os.Stat("/proc/self/exe")
	must(t, err)
	for _, pid := range []int{answer.Server.PID, serverOf(t, answer.Server.PID)} {
		process := filepath.Join("/proc", strconv.Itoa(pid))
		theirs, err := os.Stat(filepath.Join(process, "exe"))
		must(t, err)
		name, err := os.ReadFile(filepath.Join(process, "comm"))
		must(t, err)
		if !os.SameFile(mine, theirs) || string(name) != "nodeport-sshd\n" {
			t.Errorf("%s %q", theirs.Name(), name)
		}
	}
}

// Two who disconnect at once are both told that nothing is left.
func TestManyStopsAtOnce(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	for range 3 {
		start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				var answer Answer
				var err error
				if i%2 == 0 {
					answer, err = Stop(context.Background(), path, true)
				} else {
					answer, err = RemoveKey(context.Background(), path, strings.NewReader(me.line+"\n"), true)
				}
				if err != nil || answer.State != "absent" {
					t.Errorf("%+v %v", answer, err)
				}
			})
		}
		all.Wait()
	}
}

func TestWhoUsesUpTheDescriptorsLosesHis(t *testing.T) {
	path, many, one := statePath(t), newPerson(t, "many"), newPerson(t, "one")
	answer := start(t, path, func(c *Config) {
		c.AuthorizedKeys, c.KeylessExit = []string{many.line, one.line}, true
	})
	server := serverOf(t, answer.Server.PID)
	var limit unix.Rlimit
	must(t, unix.Prlimit(server, unix.RLIMIT_NOFILE, nil, &limit))
	limit.Cur = 60
	must(t, unix.Prlimit(server, unix.RLIMIT_NOFILE, &limit, nil))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	client, err := dial(answer, many)
	must(t, err)
	defer func() { _ = client.Close() }()
	opened := 0
	for ; opened < 200; opened++ {
		if _, err = client.Dial("tcp", listener.Addr().String()); err != nil {
			break
		}
	}
	if opened == 200 {
		t.Fatal("the limit was not reached")
	}
	in := make(chan error, 1)
	go func() {
		client, err := dial(answer, one)
		if err == nil {
			_ = client.Close()
		}
		in <- err
	}()
	select {
	case err := <-in:
		must(t, err)
	case <-time.After(patience):
		t.Fatal("others are locked out")
	}
	if serverOf(t, answer.Server.PID) != server {
		t.Error("the server has ended")
	}
}
