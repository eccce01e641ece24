package server

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// pipeSize is what is asked of the kernel for a command's output: with its default of 64 KB the
// command and ssh wait for each other at every other packet.
const pipeSize = 512 << 10

// A process is a command in a session of its own, and the ends of its pipes or terminal here.
type process struct {
	cmd      *exec.Cmd
	attached attachment
	terminal *os.File // its master; nil with pipes
	input    *os.File // the pipes' ends here; nil with a terminal
	outputs  []*os.File
	copying  sync.WaitGroup // of output
	mu       sync.Mutex
	exited   bool
	drained  bool // and nothing is attached any more
}

// startProcess starts the command on the terminal, or on pipes where it is nil.
func startProcess(cmd *exec.Cmd, terminal *terminal) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true,
		// Where the server is killed, nobody is left who would end the session.
		Pdeathsig: syscall.SIGHUP,
	}
	if terminal != nil {
		return startOnTerminal(cmd, terminal)
	}
	return startOnPipes(cmd)
}

func startOnTerminal(cmd *exec.Cmd, terminal *terminal) (*process, error) {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.tty, terminal.tty, terminal.tty
	cmd.SysProcAttr.Setctty = true
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	terminal.closeTTY()
	return &process{cmd: cmd, attached: attachment{terminal.path}, terminal: terminal.master}, nil
}

func startOnPipes(cmd *exec.Cmd) (*process, error) {
	var files []*os.File // read and write end in turns, of stdin, stdout, stderr
	p := &process{cmd: cmd}
	for range 3 {
		reading, writing, err := os.Pipe()
		if err != nil {
			closeFiles(files)
			return nil, err
		}
		files = append(files, reading, writing)
		p.attached = append(p.attached, pipeName(reading))
	}
	growPipe(files[0])
	growPipe(files[2])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[3], files[5]
	if err := cmd.Start(); err != nil {
		closeFiles(files)
		return nil, err
	}
	closeFiles([]*os.File{files[0], files[3], files[5]})
	p.input, p.outputs = files[1], []*os.File{files[2], files[4]}
	return p, nil
}

// carry moves bytes between the channel and the process from now on.
func (p *process) carry(channel ssh.Channel) {
	if p.terminal != nil {
		go func() { _, _ = copyBlocks(p.terminal, channel) }() // ends with either
		p.copying.Go(func() { copyTerminal(channel, p.terminal) })
		return
	}
	go func() {
		// Where the command reads no more, what comes is dropped, so that it does not block the rest.
		if _, err := copyBlocks(p.input, channel); err != nil {
			_ = p.input.Close()
			_, _ = copyBlocks(io.Discard, channel)
		}
		_ = p.input.Close()
	}()
	p.copying.Go(func() { copyOut(channel, p.outputs[0]) })
	p.copying.Go(func() { copyOut(channel.Stderr(), p.outputs[1]) })
}

// lingering is how long a terminal must say nothing, after its command has ended, to have said
// all: what the command has left behind may hold it open for ever.
const lingering = 20 * time.Millisecond

// copyTerminal copies until all processes have let go of the terminal, or, once its reading was
// given a deadline, until nothing more comes.
func copyTerminal(to io.Writer, master *os.File) {
	block := make([]byte, forwardBlockSize)
	for ended := false; ; {
		if ended {
			_ = master.SetReadDeadline(time.Now().Add(lingering))
		}
		n, err := master.Read(block)
		if n > 0 {
			if _, failed := to.Write(block[:n]); failed != nil {
				return
			}
		}
		if err != nil && (ended || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return // EIO is the end of a terminal
		}
		ended = ended || err != nil
	}
}

// copyOut closes the pipe where its bytes cannot be sent: then who writes to it is told.
func copyOut(to io.Writer, from *os.File) {
	_, _ = copyBlocks(to, from)
	_ = from.Close()
}

func closeFiles(files []*os.File) {
	for _, file := range files {
		_ = file.Close()
	}
}

// wait returns how the process has ended.
func (p *process) wait() syscall.WaitStatus {
	// The error is that of a status other than 0, which the state tells.
	_ = p.cmd.Wait()
	p.mu.Lock()
	p.exited = true
	p.mu.Unlock()
	if p.terminal != nil {
		_ = p.terminal.SetReadDeadline(time.Now())
	} else {
		_ = p.input.Close()
	}
	state, _ := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return state
}

// drain waits until all output is sent. It may still be on the way, or be held open by what the
// process has left behind: OpenSSH waits for that too.
func (p *process) drain() {
	p.copying.Wait()
	p.mu.Lock()
	p.drained = true
	p.mu.Unlock()
}

// signal goes to the process's group, which a shell with job control leaves to itself.
func (p *process) signal(number syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited {
		return errors.New("it has ended")
	}
	return syscall.Kill(-p.cmd.Process.Pid, number)
}

func (p *process) stopOutput() { closeFiles(p.outputs) }

// hangUp is what a terminal does when its line goes: SIGHUP to all that still hangs on it, and
// the end of its pipes. Who has let go of them (a server with its output in a file) or ignores
// SIGHUP (nohup) lives on, which VS Code counts on to come back after a lost connection.
//
// It returns those that it told.
func (p *process) hangUp() (told []victim) {
	p.mu.Lock()
	switch {
	case p.drained:
	case p.exited:
		told = p.attached.hangUp(0)
	default:
		told = p.attached.hangUp(p.cmd.Process.Pid)
	}
	p.mu.Unlock()
	if p.input != nil {
		_ = p.input.Close()
	}
	p.stopOutput()
	return told
}
