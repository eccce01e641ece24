package server

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"nodeport-sshd/internal/account"
)

func TestCommands(t *testing.T) {
	client := run(t, nil).dial(t)
	for _, c := range []struct {
		line, input string
		want        outcome
	}{
		{"true", "", outcome{}},
		{"exit 7", "", outcome{status: 7}},
		{"echo out; echo err >&2", "", outcome{stdout: "out\n", stderr: "err\n"}},
		{"cat", "in\n", outcome{stdout: "in\n"}},
		{"read a; echo got $a", "x\ny\n", outcome{stdout: "got x\n"}},
		{"kill -TERM $$", "", outcome{signal: "TERM"}},
		{"kill -KILL $$", "", outcome{signal: "KILL"}},
		{"/no/such", "", outcome{status: 127}},
		{"true", strings.Repeat("x", 8<<20), outcome{}}, // more than it reads
	} {
		t.Run(c.line, func(t *testing.T) {
			got := command(t, client, c.line, c.input)
			if c.want.status == 127 {
				got.stderr = ""
			}
			if c.want.signal != "" {
				got.status = 0 // the library's number for it
			}
			if got.signal == "EOF" && c.input != "" {
				got.status, got.signal = 0, "" // how the library tells of input that nobody read
			}
			if got != c.want {
				t.Fatalf("%+v", got)
			}
		})
	}
}

func TestMuchInputAndOutput(t *testing.T) {
	client := run(t, nil).dial(t)
	text := strings.Repeat("0123456789abcdef", 1<<20)
	got := command(t, client, "cat", text)
	if got.stdout != text {
		t.Fatalf("%d bytes of %d", len(got.stdout), len(text))
	}
	got = command(t, client, "head -c 3000000 /dev/zero | tee /dev/stderr", "")
	if len(got.stdout) != 3000000 || len(got.stderr) != 3000000 {
		t.Fatalf("%d and %d bytes", len(got.stdout), len(got.stderr))
	}
}

func TestLoginShell(t *testing.T) {
	client := run(t, func(c *Config) { c.Account.Shell = "/bin/sh" }).dial(t)
	session, err := client.NewSession()
	must(t, err)
	var stdout bytes.Buffer
	session.Stdin, session.Stdout = strings.NewReader("echo $0 $PWD; exit 4\n"), &stdout
	must(t, session.Shell())
	status, _ := result(session.Wait())
	if status != 4 || !strings.HasPrefix(stdout.String(), "-sh /") {
		t.Fatalf("%d %q", status, stdout.String())
	}
}

func TestASessionRunsOneThing(t *testing.T) {
	client := run(t, nil).dial(t)
	session, err := client.NewSession()
	must(t, err)
	must(t, session.Start("sleep 5"))
	payload := ssh.Marshal(struct{ Command string }{"echo second"})
	if ok, err := session.SendRequest("exec", true, payload); err != nil || ok {
		t.Fatalf("a second command: %v %v", ok, err)
	}
	for _, kind := range []string{"x11-req", "subsystem", "no-such"} {
		if ok, err := session.SendRequest(kind, true, ssh.Marshal(struct{ Name string }{"other"})); err != nil || ok {
			t.Fatalf("%s: %v %v", kind, ok, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	r := run(t, func(c *Config) {
		c.Environment = account.Environment{"PATH=/usr/bin:/bin", "KUBERNETES_PORT=tcp://10.0.0.1:443", "TERM=dumb", "HOME=/elsewhere"}
	})
	client := r.dial(t)
	session, err := client.NewSession()
	must(t, err)
	for name, accepted := range map[string]bool{"LANG": true, "LC_ALL": true, "PATH": false, "LD_PRELOAD": false, "LC_all": false} {
		if err := session.Setenv(name, "set"); (err == nil) != accepted {
			t.Fatalf("%s: %v", name, err)
		}
	}
	output, err := session.Output("env")
	must(t, err)
	lines := strings.Split(string(output), "\n")
	for _, want := range []string{
		"KUBERNETES_PORT=tcp://10.0.0.1:443", "PATH=/usr/bin:/bin", "HOME=" + r.user.Home, "USER=" + r.user.Name,
		"LOGNAME=" + r.user.Name, "SHELL=" + r.user.Shell, "LANG=set", "LC_ALL=set", "PWD=" + r.user.Home,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("no %s in %q", want, lines)
		}
	}
	if strings.Contains(string(output), "\nTERM=dumb") || strings.Contains(string(output), "SSH_TTY") {
		t.Errorf("of a terminal without one: %q", lines)
	}
	local, remote := strings.Split(client.LocalAddr().String(), ":"), strings.Split(client.RemoteAddr().String(), ":")
	if want := fmt.Sprintf("SSH_CONNECTION=%s %s %s %s", local[0], local[1], remote[0], remote[1]); !slices.Contains(lines, want) {
		t.Errorf("no %s in %q", want, lines)
	}
}

func TestWithoutAShell(t *testing.T) {
	client := run(t, func(c *Config) { c.Account.Shell = "" }).dial(t)
	if got := command(t, client, "echo 'two words'  plain", ""); got.stdout != "two words plain\n" || got.status != 0 {
		t.Fatalf("%+v", got)
	}
	for line, reason := range map[string]string{
		"echo $HOME": "needs a shell", "a | b": "needs a shell", "no-such-program": "not found", "/no/such": "no such file",
	} {
		got := command(t, client, line, "")
		if got.status != 127 || !strings.Contains(got.stderr, reason) {
			t.Errorf("%s: %+v", line, got)
		}
	}
	if got := command(t, client, "/etc/passwd", ""); got.status != 126 {
		t.Errorf("no program: %+v", got)
	}
	session, err := client.NewSession()
	must(t, err)
	var stderr bytes.Buffer
	session.Stderr = &stderr
	must(t, session.Shell())
	if status, _ := result(session.Wait()); status != 127 || !strings.Contains(stderr.String(), "no shell") {
		t.Fatalf("%d %q", status, stderr.String())
	}
}

func TestAHomeThatIsMissing(t *testing.T) {
	client := run(t, func(c *Config) { c.Account.Home = "/no/such/home" }).dial(t)
	where, err := os.Getwd()
	must(t, err)
	if got := command(t, client, "pwd", ""); got.stdout != where+"\n" {
		t.Fatalf("%+v", got)
	}
}

func terminalSession(t *testing.T, client *ssh.Client, modes ssh.TerminalModes) *ssh.Session {
	t.Helper()
	session, err := client.NewSession()
	must(t, err)
	t.Cleanup(func() { _ = session.Close() })
	must(t, session.RequestPty("xterm-test", 24, 80, modes))
	return session
}

func TestTerminal(t *testing.T) {
	client := run(t, nil).dial(t)
	session := terminalSession(t, client, ssh.TerminalModes{ssh.ECHO: 0, ssh.VERASE: 8, ssh.IUTF8: 1})
	output, err := session.Output("tty; stty size; echo $TERM $SSH_TTY; stty -a")
	must(t, err)
	text := strings.ReplaceAll(string(output), "\r\n", "\n")
	lines := strings.Split(text, "\n")
	if !strings.HasPrefix(lines[0], "/dev/pts/") || lines[1] != "24 80" || lines[2] != "xterm-test "+lines[0] {
		t.Fatalf("%q", lines)
	}
	for _, want := range []string{"-echo ", "erase = ^H", " iutf8"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %q", want, text)
		}
	}
}

func TestWindowChange(t *testing.T) {
	client := run(t, nil).dial(t)
	session := terminalSession(t, client, ssh.TerminalModes{ssh.ECHO: 0})
	input, err := session.StdinPipe()
	must(t, err)
	output, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start("trap 'stty size; exit' WINCH; echo ready; while :; do read x; done"))
	head := make([]byte, 7)
	_, err = io.ReadFull(output, head)
	must(t, err)
	must(t, session.WindowChange(50, 132))
	// The shell's trap waits for its read to end, and a line may overtake the new size.
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = io.WriteString(input, "\n")
			}
		}
	}()
	within(t, patience, "the new size", func() {
		if rest := readAll(t, output); !strings.Contains(rest, "50 132") {
			t.Errorf("%q", rest)
		}
	})
}

func TestInterruptFromTheTerminal(t *testing.T) {
	// Tests that a shell started in the background ignore it, and so would what they start.
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGINT)
	defer signal.Stop(received)
	client := run(t, nil).dial(t)
	session := terminalSession(t, client, ssh.TerminalModes{})
	input, err := session.StdinPipe()
	must(t, err)
	output, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start("echo $$; exec sleep 100"))
	var pid int
	_, err = fmt.Fscan(output, &pid)
	must(t, err)
	// bash loses a signal that comes while it becomes another program.
	eventually(t, "the shell is sleep", func() bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		return err == nil && string(name) == "sleep\n"
	})
	_, err = input.Write([]byte{3})
	must(t, err)
	within(t, patience, "the end", func() {
		if _, signal := result(session.Wait()); signal != "INT" {
			t.Errorf("%q", signal)
		}
	})
}

func TestSignalRequest(t *testing.T) {
	client := run(t, nil).dial(t)
	session, err := client.NewSession()
	must(t, err)
	output, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start("trap 'echo got; exit 9' USR1; echo ready; while :; do sleep 0.05; done"))
	head := make([]byte, 6)
	_, err = io.ReadFull(output, head)
	must(t, err)
	must(t, session.Signal(ssh.SIGUSR1))
	within(t, patience, "the end", func() {
		if rest := readAll(t, output); rest != "got\n" {
			t.Errorf("%q", rest)
		}
		if status, _ := result(session.Wait()); status != 9 {
			t.Errorf("status %d", status)
		}
	})
}

func TestEndOfWriteStopsTheCommand(t *testing.T) {
	client := run(t, nil).dial(t)
	session, err := client.NewSession()
	must(t, err)
	must(t, session.Start("yes"))
	_, err = session.SendRequest("eow@openssh.com", false, nil)
	must(t, err)
	within(t, patience, "the end", func() {
		if status, signal := result(session.Wait()); signal != "PIPE" && status == 0 {
			t.Errorf("%d %q", status, signal)
		}
	})
}

func TestWhatTheCommandLeavesBehind(t *testing.T) {
	client := run(t, nil).dial(t)
	got := command(t, client, "sleep 300 >/dev/null 2>&1 </dev/null & echo $!", "")
	pid, err := strconv.Atoi(strings.TrimSpace(got.stdout))
	must(t, err)
	defer func() { _ = syscall.Kill(pid, syscall.SIGKILL) }()
	if !alive(pid) {
		t.Fatal("with its own output, it is waited for, or ended")
	}
	if got := command(t, client, "(sleep 1; echo late) &", ""); got.stdout != "late\n" {
		t.Fatalf("with the session's output, it is not waited for: %+v", got)
	}
}

// pidsOf starts a command that prints process ids, and reads them.
func pidsOf(t *testing.T, client *ssh.Client, terminal bool, line string) []int {
	t.Helper()
	session, err := client.NewSession()
	must(t, err)
	if terminal {
		must(t, session.RequestPty("xterm", 24, 80, nil))
	}
	output, err := session.StdoutPipe()
	must(t, err)
	must(t, session.Start(line))
	var pids []int
	var text []byte
	for one := make([]byte, 1); !bytes.HasSuffix(text, []byte("\n")); {
		_, err := io.ReadFull(output, one)
		must(t, err)
		text = append(text, one...)
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		must(t, err)
		pids = append(pids, pid)
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	}
	return pids
}

func TestProcessesEndWithTheConnection(t *testing.T) {
	for _, c := range []struct {
		name     string
		terminal bool
		line     string
		ends     []bool
	}{
		{"a command", false, "echo $$; exec sleep 100", []bool{true}},
		{"a pipeline", false, "sleep 100 & a=$!; sleep 100 & echo $$ $a $!; wait", []bool{true, true, true}},
		{"with a terminal", true, "sleep 100 & echo $$ $!; wait", []bool{true, true}},
		{"deaf to HUP with its output here", false, "trap '' TERM; trap : HUP; echo $$; while :; do sleep 1; done", []bool{true}},
		{"a server, its output in a file", false,
			"(echo >~/ready; exec sleep 100) </dev/null >/dev/null 2>&1 & until [ -e ~/ready ]; do sleep 0.05; done; echo $$ $!; wait", []bool{true, false}},
		{"nohup", false, "trap '' HUP; sleep 100 & echo $!; wait", []bool{false}},
		{"stopped", false, "sleep 100 & kill -STOP $!; echo $$ $!; wait", []bool{true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, nil)
			client, err := ssh.Dial("tcp", r.address, r.config(r.key))
			must(t, err)
			pids := pidsOf(t, client, c.terminal, c.line)
			must(t, client.Close())
			for i, pid := range pids {
				if c.ends[i] {
					eventually(t, fmt.Sprintf("process %d of %v ends", i, pids), func() bool { return !alive(pid) })
				}
			}
			time.Sleep(200 * time.Millisecond)
			for i, pid := range pids {
				if !c.ends[i] && !alive(pid) {
					t.Errorf("process %d of %v has ended", i, pids)
				}
			}
			eventually(t, "the connection is forgotten", func() bool { return len(r.server.connections()) == 0 })
		})
	}
}

// Else its number would be waited for, and then killed, whoever has it by then.
func TestWhoHasEndedIsNotHungUp(t *testing.T) {
	cmd := exec.Command("true")
	must(t, cmd.Run())
	if victims := (attachment{}).victims(cmd.Process.Pid); len(victims) != 0 {
		t.Errorf("%+v", victims)
	}
	if !(victim{cmd.Process.Pid, ""}).isGone() || (victim{os.Getpid(), ""}).isGone() {
		t.Error("without /proc")
	}
}

func TestFiles(t *testing.T) {
	r := run(t, nil)
	t.Chdir(r.user.Home)
	client, err := sftp.NewClient(r.dial(t))
	must(t, err)
	defer func() { _ = client.Close() }()
	where, err := client.Getwd()
	must(t, err)
	if where != r.user.Home {
		t.Fatalf("it starts in %s", where)
	}
	data := bytes.Repeat([]byte("some text of a file\n"), 1<<20)
	file, err := client.Create("big")
	must(t, err)
	_, err = file.ReadFrom(bytes.NewReader(data))
	must(t, err)
	must(t, file.Close())
	stored, err := os.ReadFile(filepath.Join(r.user.Home, "big"))
	must(t, err)
	if sha256.Sum256(stored) != sha256.Sum256(data) {
		t.Fatal("it is another file there")
	}
	file, err = client.Open("big")
	must(t, err)
	var back bytes.Buffer
	_, err = file.WriteTo(&back)
	must(t, err)
	if sha256.Sum256(back.Bytes()) != sha256.Sum256(data) {
		t.Fatal("it comes back as another file")
	}
	must(t, client.Symlink("big", "link"))
	if target, err := os.Readlink("link"); err != nil || target != "big" {
		t.Fatalf("a relative link becomes one to %s, %v", target, err)
	}
	if _, err := client.Open("missing"); !os.IsNotExist(err) {
		t.Fatalf("a missing file: %v", err)
	}
}

func TestSixtyFourSessionsAtOnce(t *testing.T) {
	client := run(t, nil).dial(t)
	results := make(chan outcome)
	for i := range 64 {
		go func() { results <- command(t, client, "cat; sleep 0.2", strconv.Itoa(i)) }()
	}
	for range 64 {
		if got := <-results; got.status != 0 || got.stdout == "" {
			t.Errorf("%+v", got)
		}
	}
}
