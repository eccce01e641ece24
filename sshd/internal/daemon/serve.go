package daemon

import (
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"nodeport-sshd/internal/account"
	"nodeport-sshd/internal/folder"
	"nodeport-sshd/internal/server"
)

// Exit statuses by which the server's process tells the keeper why it has ended; all others, and
// signals, are crashes.
const (
	exitAsked   = 0
	exitIdle    = 10
	exitKeyless = 11
)

// banner begins like OpenSSH's, as this speaks its extensions: OpenSSH's own client says only to
// such a server that nobody reads the output any more, without which `ssh pod yes | head -1` would
// not end, and asyncssh and WinSCP take from it in which order sftp's symlink has its arguments.
const banner = "SSH-2.0-OpenSSH_nodeport_" + Version

const (
	memoryDefault = 256 // MiB
	memoryShare   = 3   // of the container's memory: the heap may have one part of so many
	aliveDefault  = 30  // seconds
	pathRoom      = 80  // bytes of a folder's path, so that a socket's in it stays below 107
	garbage       = 200 // percent of the heap in use that may be garbage
)

// reasonOf reads the exit status; crashed is that the server should run on.
func reasonOf(status syscall.WaitStatus) (reason error, crashed bool) {
	if !status.Exited() {
		return nil, true
	}
	switch status.ExitStatus() {
	case exitAsked:
		return nil, false
	case exitIdle:
		return server.ErrIdle, false
	case exitKeyless:
		return server.ErrKeyless, false
	}
	return nil, true
}

// Serve is the server's process. It returns the exit status.
func Serve(path string) int {
	takeName()
	state, err := folder.Existing(path)
	if err != nil {
		tell(failure("folder", err))
		return 1
	}
	log := state.OpenLog()
	listener, config, err := assemble(state, log)
	if err != nil {
		log.Printf("no start: %v", err)
		tell(err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	passOver(sessionSignals...)
	// Where sftp's paths begin. The library could be told, but makes the targets of links absolute then.
	_ = os.Chdir(config.Account.Home)
	log.Printf("serving on %s as %s, version %s", listener.Addr(), config.Account.Name, Version)
	tell(nil)
	err = server.New(config).Serve(ctx, listener)
	switch {
	case errors.Is(err, server.ErrIdle):
		return exitIdle
	case errors.Is(err, server.ErrKeyless):
		return exitKeyless
	case err != nil:
		log.Printf("%v", err)
		return 1
	}
	return exitAsked
}

// sessionSignals are those that a shell leaves ignored in what it starts in the background, and
// those that a server must not die of.
var sessionSignals = []os.Signal{
	syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGALRM, syscall.SIGUSR1, syscall.SIGUSR2,
	syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU, syscall.SIGCHLD, syscall.SIGCONT, syscall.SIGWINCH,
}

// passOver does nothing with the signals. It is not to ignore them: what is ignored stays so in
// the programs that are started, and their Ctrl-C or hang-up would do nothing; a handler does not.
func passOver(signals ...os.Signal) {
	dropped := make(chan os.Signal, 1)
	signal.Notify(dropped, signals...)
	go func() {
		for {
			<-dropped
		}
	}()
}

func assemble(state *folder.Folder, log *folder.Log) (net.Listener, server.Config, error) {
	var settings Settings
	if err := state.ReadSettings(&settings); err != nil {
		return nil, server.Config{}, failure("folder", err)
	}
	hostKey, err := state.HostKey()
	if err != nil {
		return nil, server.Config{}, failure("host-key", err)
	}
	socket := os.NewFile(listening, "listener")
	listener, err := net.FileListener(socket)
	_ = socket.Close()
	if err != nil {
		return nil, server.Config{}, failure("port", err)
	}
	limits := server.DefaultLimits()
	limits.Memory = boundMemory(settings.Memory)
	environment := account.Container()
	return listener, server.Config{
		HostKey: hostKey,
		Keys: state.KeyRing(func(refused []string) {
			log.Printf("authorized_keys: left out: %s", strings.Join(refused, "; "))
		}),
		Account:     account.Current(environment),
		Environment: environment,
		Banner:      banner,
		Log:         log,
		Sockets:     func(pattern string) (string, error) { return socketFolder(state, pattern) },
		Limits:      limits,
		AskAlive:    settings.alive(),
		IdleExit:    time.Duration(settings.IdleExit) * time.Second,
		KeylessExit: settings.KeylessExit,
	}, nil
}

func (s Settings) alive() time.Duration {
	if s.AskAlive == nil {
		return aliveDefault * time.Second
	}
	return time.Duration(*s.AskAlive) * time.Second
}

// socketFolder is in the state folder, which surely can be written, unless its path is too long
// for a socket.
func socketFolder(state *folder.Folder, pattern string) (string, error) {
	if len(state.Path()) > pathRoom {
		return os.MkdirTemp("", pattern)
	}
	return state.Temporary(pattern)
}

// boundMemory tells the runtime how much it may use, and returns that in bytes.
func boundMemory(wanted int) int64 {
	if wanted == 0 {
		wanted = memoryDefault
	}
	limit := int64(wanted) << 20
	if most := containerMemory(); most > 0 {
		limit = min(limit, most/memoryShare)
	}
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(garbage)
	return limit
}

// containerMemory is the limit of the container's cgroup in bytes, 0 where it has none.
func containerMemory() int64 {
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
			return limit
		}
	}
	return 0
}
