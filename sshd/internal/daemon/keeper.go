package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"

	"nodeport-sshd/internal/account"
	"nodeport-sshd/internal/folder"
	"nodeport-sshd/internal/server"
)

const (
	endPatience = 8 * time.Second // for the server to end its connections
	crashPause  = time.Second
	crashLimit  = 20 // within crashPeriod; then the keeper gives up
	crashPeriod = 10 * time.Minute
	listening   = 4 // descriptor of the listening socket in the server's process
)

// Keep is the keeper: it has left exec's session, holds the lock, listens, and keeps a server
// running on that socket. As the parent of all orphans of the sessions it reaps them: a
// container's first process often does not. It returns when the server has ended for good.
func Keep(path string) error {
	runtime.LockOSThread() // the server dies with the thread that started it
	state, err := folder.Existing(path)
	if err != nil {
		tell(failure("folder", err))
		return err
	}
	log := state.OpenLog()
	lock, err := state.Run()
	if err != nil {
		tell(failure("running", err))
		return err
	}
	defer lock.Release()
	k := &keeper{state: state, log: log, asked: make(chan os.Signal, 1), children: make(chan os.Signal, 1)}
	signal.Notify(k.asked, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(k.children, syscall.SIGCHLD)
	passOver(syscall.SIGHUP, syscall.SIGPIPE)
	if err := k.prepare(); err != nil {
		log.Printf("no start: %v", err)
		tell(err)
		return err
	}
	err = k.run()
	log.Printf("ended%s", because(err))
	return k.leave(err)
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

type keeper struct {
	state    *folder.Folder
	log      *folder.Log
	settings Settings
	socket   *os.File       // listening
	asked    chan os.Signal // to end; apart, so that children cannot fill it
	children chan os.Signal // have ended
	server   int            // process id, 0 while none runs
	crashes  []time.Time
}

// prepare listens, starts the first server and writes down where.
func (k *keeper) prepare() error {
	k.state.Sweep(server.SocketFolders)
	if err := k.state.ReadSettings(&k.settings); err != nil {
		return failure("folder", err)
	}
	hostKey, err := k.state.HostKey()
	if err != nil {
		return failure("host-key", err)
	}
	listener, err := listen(k.settings)
	if err != nil {
		return failure("port", err)
	}
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return failure("port", errors.New("not a TCP socket"))
	}
	k.socket, err = listener.File()
	_ = listener.Close() // the socket lives on in its other descriptor
	if err != nil {
		return failure("port", err)
	}
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	if err := k.startServer(); err != nil {
		return failure("start", err)
	}
	user := account.Current(account.Container())
	return failure("folder", k.state.WriteStatus(folder.Status{
		PID: os.Getpid(), Port: address.Port, Listen: k.settings.Listen, Version: Version, Protocol: Protocol,
		HostKey:     strings.TrimSpace(string(ssh.MarshalAuthorizedKey(hostKey.PublicKey()))),
		Fingerprint: fingerprint(hostKey.PublicKey()),
		User:        user.Name, UID: user.UID, Home: user.Home, Shell: user.Shell,
		Started: time.Now().UTC().Format(time.RFC3339),
	}))
}

// listen opens the port, or any free one where the settings allow that.
func listen(settings Settings) (*net.TCPListener, error) {
	listener, err := listenOn(settings.Listen, settings.Port)
	if err != nil && settings.Port != 0 && settings.PortFallback {
		listener, err = listenOn(settings.Listen, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on port %d: %w", settings.Port, err)
	}
	return listener, nil
}

func listenOn(host string, port int) (*net.TCPListener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return nil, errors.New("not a TCP socket")
	}
	return tcp, nil
}

func (k *keeper) startServer() error {
	process, told, err := spawn(k.state, "serve",
		// Its own group: what is sent to the keeper's is not sent to it. It does not outlive the keeper.
		&syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}, k.socket)
	if err != nil {
		return err
	}
	defer func() { _ = told.Close() }()
	k.server = process.Pid
	_ = process.Release() // reaped with all others
	return awaitReport(told, startPatience)
}

// run tells that all is ready and reaps until the server has ended for good; the error is why,
// nil where that was asked for.
func (k *keeper) run() error {
	tell(nil)
	var deadline <-chan time.Time
	for {
		select {
		case <-deadline:
			k.kill(syscall.SIGKILL)
		case <-k.asked:
			if deadline == nil {
				deadline = time.After(endPatience)
				k.kill(syscall.SIGTERM)
			}
		case <-k.children:
		}
		status, gone := k.reap()
		if !gone {
			continue
		}
		if deadline != nil {
			return nil
		}
		if reason, crashed := reasonOf(status); !crashed {
			return reason
		}
		if err := k.again(status); err != nil {
			return err
		}
	}
}

func (k *keeper) kill(number syscall.Signal) {
	if k.server > 0 { // 0 would mean everyone here
		_ = syscall.Kill(k.server, number)
	}
}

// reap takes all children that have ended; gone is that the server was among them.
func (k *keeper) reap() (ended syscall.WaitStatus, gone bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return ended, gone
		}
		if pid == k.server {
			ended, gone, k.server = status, true, 0
		}
	}
}

// again starts a server in the place of one that crashed. Clients that come meanwhile wait in the
// listening socket.
func (k *keeper) again(status syscall.WaitStatus) error {
	k.log.Printf("the server crashed (status %d, signal %d)", status.ExitStatus(), status.Signal())
	now := time.Now()
	k.crashes = append(k.crashes, now)
	if len(k.crashes) >= crashLimit {
		if now.Sub(k.crashes[0]) < crashPeriod {
			return errors.New("the server crashed too often")
		}
		k.crashes = k.crashes[1:]
	}
	time.Sleep(crashPause)
	return k.startServer()
}

// leave removes what says that a server runs, and all of it when it ended as the last key went.
func (k *keeper) leave(reason error) error {
	k.state.RemoveStatus()
	_ = k.socket.Close()
	if !errors.Is(reason, server.ErrKeyless) {
		return nil
	}
	// Somebody may add a key in this very moment: under the lock it is seen whether one is there. Who
	// has the lock may be one who waits for this process to end, and sees to the folder himself.
	ctx, cancel := context.WithTimeout(context.Background(), editPatience)
	defer cancel()
	go func() {
		<-k.asked
		cancel()
	}()
	release, err := k.state.Edit(ctx)
	if err != nil {
		return err
	}
	defer release()
	if keys, _, err := k.state.Keys(); err != nil || len(keys) != 0 {
		return err
	}
	return k.state.Remove()
}
