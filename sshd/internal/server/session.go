package server

import (
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/crypto/ssh"

	"nodeport-sshd/internal/account"
)

const (
	environmentLimit = 64        // variables that a client may set in a session
	cannotRun        = 126       // exit statuses of a shell
	notFound         = 127       //
	commandLimit     = 128 << 10 // bytes; the kernel takes no longer argument
)

// A session is a channel that runs one thing: a shell, a command or sftp. Its fields belong to
// the goroutine that takes its requests.
type session struct {
	connection  *connection
	channel     ssh.Channel
	environment account.Environment
	given       int // variables that the client has set
	terminal    *terminal
	agent       *agentSocket
	started     bool
	process     *process // nil until it runs, and for sftp
}

func (c *connection) serveSession(offered ssh.NewChannel) {
	defer c.sessions.Add(-1)
	if c.sessions.Add(1) > int32(c.server.Limits.Sessions) || c.isSealed() {
		_ = offered.Reject(ssh.Prohibited, "no more sessions")
		return
	}
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	s := &session{connection: c, channel: watched{channel, c}}
	s.environment = s.loginEnvironment()
	for request := range requests {
		ok, then := s.serveRequest(request)
		_ = request.Reply(ok, nil)
		if then != nil {
			go then() // it ends with its process, which may have chosen to outlive the connection
		}
	}
	s.end()
}

// end is called when the channel has gone, whoever closed it: what still runs is hung up.
func (s *session) end() {
	if s.process != nil {
		if told := s.process.hangUp(); len(told) > 0 {
			s.connection.server.burying.Go(func() { bury(told) })
		}
	}
	s.terminal.close()
	s.agent.close()
	_ = s.channel.Close()
	if s.process != nil { // which may live on, and keep here what it has never read
		_, _ = copyBlocks(io.Discard, s.channel)
	}
}

// serveRequest answers a request of RFC 4254, section 6. What it returns besides runs after the
// reply.
func (s *session) serveRequest(request *ssh.Request) (ok bool, then func()) {
	switch request.Type {
	case "env":
		return s.setVariable(request.Payload), nil
	case "pty-req":
		return s.openTerminal(request.Payload), nil
	case "window-change":
		return s.terminal.resize(request.Payload), nil
	case "auth-agent-req@openssh.com":
		return s.forwardAgent(), nil
	case "signal":
		return s.signal(request.Payload), nil
	case "eow@openssh.com":
		s.stopOutput()
		return true, nil
	case "shell", "exec", "subsystem":
		if s.started {
			return false, nil
		}
		then = s.start(request)
		s.started = then != nil
		return s.started, then
	}
	return false, nil
}

// start runs what the session is for; nil where there is no such thing.
func (s *session) start(request *ssh.Request) (then func()) {
	var wanted struct{ Text string } // a command or a subsystem's name
	if request.Type != "shell" && ssh.Unmarshal(request.Payload, &wanted) != nil {
		return nil
	}
	switch {
	case request.Type != "subsystem" && len(wanted.Text) <= commandLimit:
		return s.run(wanted.Text)
	case request.Type == "subsystem" && wanted.Text == "sftp":
		return s.serveFiles
	}
	return nil
}

func (s *session) setVariable(payload []byte) bool {
	var wanted struct{ Name, Value string }
	if s.started || ssh.Unmarshal(payload, &wanted) != nil {
		return false
	}
	if !account.Acceptable(wanted.Name) || len(wanted.Value) > 1024 || s.given >= environmentLimit {
		return false
	}
	s.given++
	s.environment = s.environment.With(wanted.Name, wanted.Value)
	return true
}

func (s *session) openTerminal(payload []byte) bool {
	if s.started || s.terminal != nil {
		return false
	}
	terminal, name, err := openTerminal(payload)
	if err != nil {
		s.connection.server.Log.Printf("%s: no terminal: %v", s.connection.ssh.RemoteAddr(), err)
		return false
	}
	s.terminal = terminal
	s.environment = s.environment.With("SSH_TTY", terminal.path)
	if name != "" {
		s.environment = s.environment.With("TERM", name)
	}
	return true
}

func (s *session) forwardAgent() bool {
	if s.started || s.agent != nil {
		return false
	}
	opened, err := s.connection.openAgent()
	if err != nil {
		s.connection.server.Log.Printf("%s: no agent: %v", s.connection.ssh.RemoteAddr(), err)
		return false
	}
	s.agent = opened
	s.environment = s.environment.With("SSH_AUTH_SOCK", opened.path)
	return true
}

func (s *session) signal(payload []byte) bool {
	var wanted struct{ Name string }
	if ssh.Unmarshal(payload, &wanted) != nil {
		return false
	}
	number, known := signals[wanted.Name]
	return known && s.process != nil && s.process.signal(number) == nil
}

// stopOutput is OpenSSH's "end of write": nobody will read the output, so that writing it has to
// fail, as in a pipeline whose reader has gone.
func (s *session) stopOutput() {
	if s.process != nil {
		s.process.stopOutput()
	}
}

// loginEnvironment is the container's and what login(1) and sshd(8) add.
func (s *session) loginEnvironment() account.Environment {
	user := s.connection.server.Account
	environment := s.connection.server.Environment.
		With("USER", user.Name).With("LOGNAME", user.Name).With("HOME", user.Home).
		Without("TERM", "SSH_TTY", "SSH_AUTH_SOCK")
	if user.Shell != "" {
		environment = environment.With("SHELL", user.Shell)
	}
	remoteHost, remotePort, err := net.SplitHostPort(s.connection.ssh.RemoteAddr().String())
	if err != nil {
		return environment
	}
	localHost, localPort, err := net.SplitHostPort(s.connection.ssh.LocalAddr().String())
	if err != nil {
		return environment
	}
	return environment.
		With("SSH_CLIENT", remoteHost+" "+remotePort+" "+localPort).
		With("SSH_CONNECTION", remoteHost+" "+remotePort+" "+localHost+" "+localPort)
}

// run starts the command, or a login shell where it is empty, so that a signal that follows the
// reply finds it. What it returns carries its bytes, and closes the channel when it has ended and
// its output is sent.
func (s *session) run(command string) (then func()) {
	cmd, err := s.connection.server.Account.Command(command, s.environment)
	var started *process
	if err == nil {
		started, err = startProcess(cmd, s.terminal)
	}
	if err != nil {
		return func() {
			_, _ = io.WriteString(s.errorStream(), "nodeport-sshd: "+err.Error()+s.lineEnd())
			s.exit(statusOf(err))
		}
	}
	s.process = started
	return func() {
		started.carry(s.channel)
		state := started.wait()
		s.sendExit(state)
		started.drain()
		_ = s.channel.CloseWrite()
		_ = s.channel.Close()
	}
}

// errorStream is where a message is seen: a terminal has one stream only.
func (s *session) errorStream() io.Writer {
	if s.terminal != nil {
		return s.channel
	}
	return s.channel.Stderr()
}

func (s *session) lineEnd() string {
	if s.terminal != nil {
		return "\r\n"
	}
	return "\n"
}

func statusOf(err error) int {
	if errors.Is(err, syscall.EACCES) {
		return cannotRun
	}
	var missing *exec.Error
	if errors.As(err, &missing) && errors.Is(missing.Err, syscall.EACCES) {
		return cannotRun
	}
	return notFound
}

// exit tells the status and closes the channel.
func (s *session) exit(status int) {
	_ = s.channel.CloseWrite()
	_, _ = s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
	_ = s.channel.Close()
}

// sendExit tells how a process has ended.
func (s *session) sendExit(state syscall.WaitStatus) {
	if !state.Signaled() {
		_, _ = s.channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(state.ExitStatus())}))
		return
	}
	name, known := signalNames[state.Signal()]
	if !known {
		name = "SIG" + strconv.Itoa(int(state.Signal())) + "@openssh.com"
	}
	_, _ = s.channel.SendRequest("exit-signal", false, ssh.Marshal(struct {
		Name     string
		Core     bool
		Message  string
		Language string
	}{name, state.CoreDump(), "", ""}))
}
