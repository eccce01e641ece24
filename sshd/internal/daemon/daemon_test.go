package daemon

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"nodeport-sshd/internal/folder"
)

// patience is for what happens at once on a machine that is not busy.
const patience = time.Minute

// The test's own program stands in for nodeport-sshd where Start starts the other parts.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[2] == "--state" {
		switch os.Args[1] {
		case "keep":
			if Keep(os.Args[3]) != nil {
				os.Exit(1)
			}
			os.Exit(0)
		case "serve":
			os.Exit(Serve(os.Args[3]))
		}
	}
	os.Exit(m.Run())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type person struct {
	signer ssh.Signer
	line   string
}

func newPerson(t testing.TB, comment string) person {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(t, err)
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	return person{signer, line + " " + comment}
}

func newSeed() string {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed)
	return base64.StdEncoding.EncodeToString(seed)
}

func statePath(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state")
	t.Cleanup(func() {
		if answer, err := Stop(context.Background(), path, true); err != nil {
			t.Errorf("%+v %v", answer, err)
		}
	})
	return path
}

func configured(change func(*Config)) *bytes.Buffer {
	config := Config{HostKey: newSeed(), Settings: Settings{Listen: "127.0.0.1"}}
	if change != nil {
		change(&config)
	}
	text, _ := json.Marshal(config)
	return bytes.NewBuffer(text)
}

// freePort is below those that the kernel gives out: nobody else gets it while its server is away.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+mathrand.IntN(12000)))
		if err == nil {
			defer func() { _ = listener.Close() }()
			address, ok := listener.Addr().(*net.TCPAddr)
			if ok {
				return address.Port
			}
		}
	}
	t.Fatal("no free port")
	return 0
}

func start(t *testing.T, path string, change func(*Config)) Answer {
	t.Helper()
	answer, err := Start(context.Background(), path, configured(change))
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(path, "log"))
		t.Fatalf("%v\n%s", err, log)
	}
	return answer
}

func dial(answer Answer, p person) (*ssh.Client, error) {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(answer.Server.HostKey))
	if err != nil {
		return nil, err
	}
	return ssh.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(answer.Server.Port)), &ssh.ClientConfig{
		User: answer.Server.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(p.signer)},
		HostKeyCallback: ssh.FixedHostKey(key), Timeout: patience,
	})
}

func says(t *testing.T, client *ssh.Client, line string) string {
	t.Helper()
	session, err := client.NewSession()
	must(t, err)
	output, err := session.Output(line)
	must(t, err)
	return strings.TrimSpace(string(output))
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not within %s: %s", patience, what)
}

func TestFromStartToStop(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me@here")
	if answer, err := Status(path); err != nil || answer.State != "absent" {
		t.Fatalf("%+v %v", answer, err)
	}
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	if answer.State != "started" || answer.Server.Port < 1024 || len(answer.Keys) != 1 || answer.Keys[0].Comment != "me@here" {
		t.Fatalf("%+v", answer)
	}
	client, err := dial(answer, me)
	must(t, err)
	defer func() { _ = client.Close() }()
	says(t, client, "true")
	status, err := Status(path)
	must(t, err)
	if status.State != "running" || status.Connections != 1 || *status.Server != *answer.Server {
		t.Fatalf("%+v", status)
	}
	stopped, err := Stop(context.Background(), path, false)
	must(t, err)
	if stopped.State != "stopped" || stopped.Server.PID != answer.Server.PID || len(stopped.Keys) != 1 {
		t.Fatalf("%+v", stopped)
	}
	if err := client.Wait(); err == nil {
		t.Fatal("the connection ended in order")
	}
	// The same folder again: the same host key, though another is given.
	again := start(t, path, nil)
	if again.Server.HostKey != answer.Server.HostKey || len(again.Keys) != 1 {
		t.Fatalf("%+v", again)
	}
	gone, err := Stop(context.Background(), path, true)
	must(t, err)
	if _, err := os.Stat(path); gone.State != "absent" || !os.IsNotExist(err) {
		t.Fatalf("%+v %v", gone, err)
	}
}

func TestSeveralPeople(t *testing.T) {
	path, first, second := statePath(t), newPerson(t, "first"), newPerson(t, "second")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{first.line} })
	joined := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{second.line} })
	if joined.State != "running" || *joined.Server != *answer.Server || len(joined.Keys) != 2 {
		t.Fatalf("%+v", joined)
	}
	third := newPerson(t, "third")
	added, err := AddKey(context.Background(), path, strings.NewReader(third.line+"\nmore that is never read"))
	must(t, err)
	if len(added.Keys) != 3 {
		t.Fatalf("%+v", added)
	}
	for _, p := range []person{first, second, third} {
		client, err := dial(answer, p)
		must(t, err)
		defer func() { _ = client.Close() }()
		if p == first {
			defer func() {
				if says(t, client, "echo on") != "on" {
					t.Error("the first one's connection does not go on")
				}
			}()
		}
	}
	for i, p := range []person{second, third} {
		left, err := RemoveKey(context.Background(), path, strings.NewReader(p.line+"\n"), true)
		must(t, err)
		if left.State != "running" || len(left.Keys) != 2-i {
			t.Fatalf("%+v", left)
		}
		if _, err := dial(answer, p); err == nil {
			t.Fatal("a removed key logs in")
		}
	}
}

func TestTheLastKeyTakesAllWithIt(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	must(t, os.WriteFile(filepath.Join(path, "nodeport-sshd"), []byte("the program, as connect puts it there"), 0o700))
	left, err := RemoveKey(context.Background(), path, strings.NewReader(me.line), true)
	must(t, err)
	if left.State != "absent" || len(left.Keys) != 0 || left.Server.PID != answer.Server.PID {
		t.Fatalf("%+v", left)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("%v", err)
	}
	if syscall.Kill(answer.Server.PID, 0) == nil {
		eventually(t, "the keeper has ended", func() bool { return !runs(answer.Server.PID) })
	}
}

func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

func TestKeylessExitByHand(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys, c.KeylessExit = []string{me.line}, true })
	must(t, os.Remove(filepath.Join(path, "authorized_keys")))
	eventually(t, "it ends, and the folder goes", func() bool {
		_, err := os.Stat(path)
		return os.IsNotExist(err) && !runs(answer.Server.PID)
	})
}

// keylessUnderLock is a server that has lost its last key while the folder's lock is held.
func keylessUnderLock(t *testing.T) (path string, answer Answer, state *folder.Folder, release func()) {
	t.Helper()
	path, me := statePath(t), newPerson(t, "me")
	answer = start(t, path, func(c *Config) { c.AuthorizedKeys, c.KeylessExit = []string{me.line}, true })
	state, err := folder.Existing(path)
	must(t, err)
	release, err = state.Edit(context.Background())
	must(t, err)
	must(t, os.Remove(filepath.Join(path, "authorized_keys")))
	return path, answer, state, release
}

// Who ends the server, and holds the folder's lock, does not wait for a keeper that waits for the lock.
func TestAStopAsTheLastKeyGoes(t *testing.T) {
	path, answer, state, release := keylessUnderLock(t)
	defer release()
	eventually(t, "the keeper is about to leave", func() bool {
		_, err := state.Status()
		return err != nil
	})
	begin := time.Now()
	must(t, endProcess(state))
	if took := time.Since(begin); took >= stopPatience {
		t.Errorf("the keeper was killed, after %s", took)
	}
	eventually(t, "the keeper has ended", func() bool { return !runs(answer.Server.PID) })
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the folder is not the keeper's any more: %v", err)
	}
}

func TestIdleExitKeepsTheFolder(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys, c.IdleExit, c.Port = []string{me.line}, 3, freePort(t) })
	eventually(t, "it ends", func() bool {
		status, err := Status(path)
		return err == nil && status.State == "stopped"
	})
	again := start(t, path, func(c *Config) { c.Port = answer.Server.Port })
	if again.Server.HostKey != answer.Server.HostKey || again.Server.Port != answer.Server.Port {
		t.Fatalf("%+v", again)
	}
}

func TestReplace(t *testing.T) {
	path := statePath(t)
	first := start(t, path, func(c *Config) { c.Port = freePort(t) })
	for _, c := range []struct {
		replace, running, want string
	}{
		{"", Version, "running"}, {"older", "0.0.9", "replaced"}, {"never", "0.0.9", "running"},
		{"always", Version, "replaced"}, {"older", "99.0.0", "running"},
	} {
		state, err := folder.Existing(path)
		must(t, err)
		status, err := state.Status()
		must(t, err)
		status.Version = c.running
		must(t, state.WriteStatus(status))
		answer := start(t, path, func(config *Config) { config.Replace = c.replace })
		if answer.State != c.want {
			t.Errorf("%q over %s: %s", c.replace, c.running, answer.State)
		}
		if answer.Server.HostKey != first.Server.HostKey || answer.Server.Port != first.Server.Port {
			t.Errorf("%q: another key or port: %+v", c.replace, answer.Server)
		}
	}
}

func TestPorts(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = taken.Close() }()
	address, ok := taken.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(taken.Addr())
	}
	_, err = Start(context.Background(), statePath(t), configured(func(c *Config) { c.Port = address.Port }))
	var failed *Failure
	if err == nil || !asFailure(err, &failed) || failed.Code != "port" {
		t.Fatalf("%v", err)
	}
	answer := start(t, statePath(t), func(c *Config) { c.Port, c.PortFallback = address.Port, true })
	if answer.Server.Port == address.Port {
		t.Fatalf("%+v", answer)
	}
}

func asFailure(err error, to **Failure) bool {
	failed, ok := err.(*Failure)
	if ok {
		*to = failed
	}
	return ok
}

func TestManyStartsAtOnceMakeOneServer(t *testing.T) {
	path := statePath(t)
	var all sync.WaitGroup
	answers := make([]Answer, 6)
	for i := range answers {
		p := newPerson(t, strconv.Itoa(i))
		all.Go(func() {
			answer, err := Start(context.Background(), path, configured(func(c *Config) { c.AuthorizedKeys = []string{p.line} }))
			if err != nil {
				t.Error(err)
			}
			answers[i] = answer
		})
	}
	all.Wait()
	started := 0
	for _, answer := range answers {
		if answer.State == "started" {
			started++
		}
		if answer.Server == nil || *answer.Server != *answers[0].Server {
			t.Fatalf("%+v", answer)
		}
	}
	if status, err := Status(path); err != nil || started != 1 || len(status.Keys) != len(answers) {
		t.Fatalf("%d started; %+v %v", started, status, err)
	}
}

func serverOf(t *testing.T, keeper int) int {
	t.Helper()
	var children []byte
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", keeper)) // one a thread
	must(t, err)
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // a thread that has ended
		}
		must(t, err)
		children = append(children, text...)
	}
	for _, field := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(field)
		must(t, err)
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if bytes.Contains(command, []byte("\x00serve\x00")) {
			return pid
		}
	}
	return 0
}

func TestACrashedServerIsStartedAgain(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	client, err := dial(answer, me)
	must(t, err)
	session, err := client.NewSession()
	must(t, err)
	output, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start("echo $$; exec sleep 100"))
	var pid int
	_, err = fmt.Fscan(output, &pid)
	must(t, err)
	crashed := serverOf(t, answer.Server.PID)
	must(t, syscall.Kill(crashed, syscall.SIGSEGV))
	_ = client.Wait()
	again, err := dial(answer, me) // the listening socket has never closed
	must(t, err)
	defer func() { _ = again.Close() }()
	if says(t, again, "echo back") != "back" || serverOf(t, answer.Server.PID) == crashed {
		t.Fatal("not another server")
	}
	log, err := os.ReadFile(answer.Log)
	must(t, err)
	if !strings.Contains(string(log), "the server crashed") || !strings.Contains(string(log), "SIGSEGV") {
		t.Errorf("the log does not tell:\n%s", log)
	}
	eventually(t, "the crashed one's session ends", func() bool { return !runs(pid) })
}

func TestAServerThatIsAskedToEndHasNotCrashed(t *testing.T) {
	path := statePath(t)
	answer := start(t, path, nil)
	must(t, syscall.Kill(serverOf(t, answer.Server.PID), syscall.SIGTERM))
	eventually(t, "the keeper ends with it", func() bool { return !runs(answer.Server.PID) })
	log, err := os.ReadFile(answer.Log)
	must(t, err)
	if strings.Contains(string(log), "crashed") {
		t.Errorf("%s", log)
	}
}

// A shell starts programs in the background with some signals ignored, nohup with another.
func TestSessionsIgnoreNoSignal(t *testing.T) {
	ignored := []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGPIPE}
	signal.Ignore(ignored...)
	defer signal.Reset(ignored...)
	me := newPerson(t, "me")
	answer := start(t, statePath(t), func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	client, err := dial(answer, me)
	must(t, err)
	defer func() { _ = client.Close() }()
	got := strings.Fields(says(t, client, "grep -E 'SigIgn|SigBlk' /proc/self/status"))
	for _, mask := range []string{got[1], got[3]} {
		signals, err := strconv.ParseUint(mask, 16, 64)
		must(t, err)
		if signals&^ofGlibc != 0 {
			t.Fatalf("%v", got)
		}
	}
}

// Signals 32 and 33 are glibc's own: its posix_spawn ignores them in what it starts, make's children
// for instance (sysdeps/unix/sysv/linux/spawni.c), and nobody else may use them.
const ofGlibc = 3 << 31

func TestAKilledKeeperLeavesNothing(t *testing.T) {
	path := statePath(t)
	answer := start(t, path, func(c *Config) { c.Port = freePort(t) })
	server := serverOf(t, answer.Server.PID)
	must(t, syscall.Kill(answer.Server.PID, syscall.SIGKILL))
	eventually(t, "the server ends too", func() bool { return !runs(server) })
	// The keeper's last thread may go after it, and with that the lock.
	eventually(t, "and nobody holds the folder", func() bool {
		status, err := Status(path)
		return err == nil && status.State == "stopped"
	})
	again := start(t, path, func(c *Config) { c.Port = answer.Server.Port })
	if again.State != "started" {
		t.Fatalf("%+v", again)
	}
}

func TestOrphansAreReaped(t *testing.T) {
	path, me := statePath(t), newPerson(t, "me")
	answer := start(t, path, func(c *Config) { c.AuthorizedKeys = []string{me.line} })
	client, err := dial(answer, me)
	must(t, err)
	defer func() { _ = client.Close() }()
	pid, err := strconv.Atoi(says(t, client, "setsid sh -c 'sleep 0.3' </dev/null >/dev/null 2>&1 & echo $!"))
	must(t, err)
	eventually(t, "it is gone, and no zombie", func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return os.IsNotExist(err)
	})
}

func TestTheServerHasLeftExecsStreams(t *testing.T) {
	path := statePath(t)
	answer := start(t, path, nil)
	for _, pid := range []int{answer.Server.PID, serverOf(t, answer.Server.PID)} {
		for fd := range 3 {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); err != nil || target != "/dev/null" {
				t.Errorf("descriptor %d of %d: %s %v", fd, pid, target, err)
			}
		}
		command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		must(t, err)
		if strings.Contains(string(command), "ssh-ed25519") || strings.Contains(string(command), "PRIVATE") {
			t.Errorf("%q", command)
		}
	}
	session, _, err := sessionOf(answer.Server.PID)
	must(t, err)
	if session != answer.Server.PID {
		t.Errorf("the keeper's session is %d", session)
	}
}

func sessionOf(pid int) (session, group int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	var state string
	var parent int
	_, err = fmt.Sscan(rest, &state, &parent, &group, &session)
	return session, group, err
}

func TestBadConfigurations(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, c := range []struct{ text, code string }{
		{"", "config"}, {"not json secret", "config"}, {"[]", "config"}, {`{"hostkey":"secret"}`, "config"},
		{`{"port":70000}`, "config"}, {`{"port":-1}`, "config"}, {`{"port":"22"}`, "config"},
		{`{"listen":"localhost; secret"}`, "config"}, {`{"idle_exit_s":-1}`, "config"}, {`{"memory_mib":1}`, "config"},
		{`{"replace":"perhaps"}`, "config"}, {`{"authorized_keys":["secret"]}`, "config"},
		{`{"host_key":"secret"}`, "config"}, {`{}`, "host-key"},
	} {
		answer, err := Start(context.Background(), path, strings.NewReader(c.text))
		var failed *Failure
		if err == nil || !asFailure(err, &failed) || failed.Code != c.code {
			t.Errorf("%s: %+v %v", c.text, answer, err)
			continue
		}
		if strings.Contains(err.Error(), `"secret"`) || strings.Contains(err.Error(), "json secret") {
			t.Errorf("%s: the error quotes it: %v", c.text, err)
		}
	}
	if _, err := AddKey(context.Background(), path+".none", strings.NewReader("ssh-ed25519 x")); err == nil {
		t.Error("a bad key is added")
	}
}

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"0.1.0", "0.1.1", true}, {"0.1.1", "0.1.0", false}, {"0.9.0", "0.10.0", true}, {"1.0.0", "0.9.9", false},
		{"", "0.0.1", true}, {"x.y", "0.1.0", true}, {"0.1.0", "0.1.0", false}, {"0.1.0", "junk", false},
	} {
		if older(c.a, c.b) != c.want {
			t.Errorf("%s before %s", c.a, c.b)
		}
	}
}

func TestConnectionsTo(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		t.Fatal(listener.Addr())
	}
	if got := connectionsTo(address.Port); got != 0 {
		t.Fatal(got)
	}
	conn, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	defer func() { _ = conn.Close() }()
	if got := connectionsTo(address.Port); got != 1 {
		t.Fatal(got)
	}
}

func FuzzReadConfig(f *testing.F) {
	f.Add([]byte(`{"port":22022,"authorized_keys":["ssh-ed25519 AAAA"],"host_key":"x"}`))
	f.Add([]byte(`{"listen":"::1","ask_alive_s":0}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		config, keys, err := readConfig(bytes.NewReader(text))
		if err == nil && (config.Port < 0 || config.Port > 65535 || len(keys) != len(config.AuthorizedKeys)) {
			t.Fatalf("%+v", config)
		}
	})
}

func FuzzPortOf(f *testing.F) {
	f.Add("0100007F:1F90")
	f.Fuzz(func(t *testing.T, address string) {
		if port := portOf(address); port < -1 || port > 65535 {
			t.Fatal(port)
		}
	})
}

// The parts that start is made of are not started by hand, but nothing breaks where they are.
func TestPartsWithoutAStart(t *testing.T) {
	program, err := os.Executable()
	must(t, err)
	for _, part := range []string{"keep", "serve"} {
		cmd := exec.Command(program, part, "--state", filepath.Join(t.TempDir(), "none"))
		if err := cmd.Run(); err == nil {
			t.Errorf("%s runs", part)
		}
	}
}
