package daemon

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"nodeport-sshd/internal/folder"
)

// startPatience is for a server to listen.
const startPatience = 20 * time.Second

// readiness is the descriptor on which a child process tells its parent how its start went.
const readiness = 3

// A report is what comes over it.
type report struct {
	Code  string `json:"code,omitempty"`
	Error string `json:"error,omitempty"`
}

// Start brings the folder to what the configuration asks for: keys added, a server running. One
// that runs already is used, or replaced where the configuration says so.
func Start(ctx context.Context, path string, input io.Reader) (Answer, error) {
	config, keys, err := readConfig(input)
	if err != nil {
		return Answer{}, failure("config", err)
	}
	state, release, err := open(ctx, path)
	if err != nil {
		return Answer{}, err
	}
	defer release()
	if err := prepare(state, &config, keys); err != nil {
		return Answer{}, err
	}
	running, err := survey(state)
	if err != nil {
		return Answer{}, err
	}
	if running.Server != nil && !config.replaces(running.Server.Version) {
		return running, nil
	}
	became := "started"
	if running.Server != nil {
		became = "replaced"
		config.keepPort(running.Server)
	}
	// Before the former server ends: on a full disk it goes on.
	if err := state.WriteSettings(config.Settings); err != nil {
		return Answer{}, failure("folder", err)
	}
	if running.Server != nil {
		if err := endProcess(state); err != nil {
			return Answer{}, failure("stop", err)
		}
	}
	if err := launch(state); err != nil {
		return Answer{}, err
	}
	answer, err := survey(state)
	if err == nil && answer.Server == nil {
		return Answer{}, failure("start", errors.New("the server has ended again"))
	}
	answer.State = became
	return answer, err
}

// open makes the folder, and locks it. One that is removed in that moment, as its last user goes,
// is made again.
func open(ctx context.Context, path string) (*folder.Folder, func(), error) {
	const tries = 5
	for try := 1; ; try++ {
		state, err := folder.Open(path)
		if err != nil {
			return nil, nil, failure("folder", err)
		}
		release, err := lock(ctx, state)
		if err == nil || try == tries || !errors.Is(err, fs.ErrNotExist) {
			return state, release, err
		}
	}
}

// prepare puts host key and keys into the folder.
func prepare(state *folder.Folder, config *Config, keys []folder.AuthorizedKey) error {
	if config.HostKey != "" {
		text, _, err := folder.ParseHostKey(config.HostKey)
		if err != nil {
			return failure("config", err)
		}
		if err := state.KeepHostKey(text); err != nil {
			return failure("folder", err)
		}
		config.HostKey = ""
	}
	if _, err := state.HostKey(); err != nil {
		return failure("host-key", fmt.Errorf("no host key was given, and the folder has none: %w", err))
	}
	if _, err := state.AddKeys(keys); err != nil {
		return failure("folder", err)
	}
	return nil
}

func (c Config) replaces(running string) bool {
	switch c.Replace {
	case "never":
		return false
	case "always":
		return true
	}
	return older(running, Version)
}

// keepPort goes on where the former server was, as others have entries with that port.
func (c *Config) keepPort(former *folder.Status) {
	if c.Port == 0 || c.PortFallback {
		c.Port = former.Port
	}
}

// launch starts the keeper, in a session of its own and with nothing of exec's streams, and waits
// until it tells that the server serves.
func launch(state *folder.Folder) error {
	keeper, told, err := spawn(state, "keep", &syscall.SysProcAttr{Setsid: true})
	if err != nil {
		return failure("start", err)
	}
	defer func() { _ = told.Close() }()
	if err := awaitReport(told, startPatience); err != nil {
		_ = keeper.Kill()
		_, _ = keeper.Wait()
		return failure("start", err)
	}
	return keeper.Release()
}

// spawn starts this program again in another part, with its standard streams at /dev/null, a pipe
// for its report, and the files after that.
func spawn(state *folder.Folder, part string, attributes *syscall.SysProcAttr, files ...*os.File) (*os.Process, *os.File, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	told, telling, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd := exec.Command(program, part, "--state", state.Path())
	// This very program: at its path there may lie another by now, a newer one or, where others can
	// write too, theirs.
	cmd.Path = "/proc/self/exe"
	cmd.SysProcAttr = attributes
	cmd.ExtraFiles = append([]*os.File{telling}, files...)
	err = cmd.Start()
	_ = telling.Close()
	if err != nil {
		_ = told.Close()
		return nil, nil, err
	}
	return cmd.Process, told, nil
}

// takeName is for those that are started so: the kernel calls them by the link's name.
func takeName() { _ = os.WriteFile("/proc/self/comm", []byte("nodeport-sshd"), 0) }

// awaitReport is nil when the other process is ready.
func awaitReport(told *os.File, patience time.Duration) error {
	_ = told.SetReadDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(told).ReadBytes('\n')
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("the server does not get ready")
	case err != nil:
		return errors.New("the server ended before it was ready")
	}
	var said report
	if err := json.Unmarshal(line, &said); err != nil {
		return err
	}
	if said.Error != "" {
		return &Failure{said.Code, errors.New(said.Error)}
	}
	return nil
}

// tell is the other end of awaitReport; nil is that all is ready.
func tell(err error) {
	pipe := os.NewFile(readiness, "readiness")
	if pipe == nil {
		return
	}
	var said report
	if err != nil {
		said = report{"start", err.Error()}
		var has *Failure
		if errors.As(err, &has) {
			said.Code = has.Code
		}
	}
	line, _ := json.Marshal(said) // two strings can be marshalled
	_, _ = pipe.Write(append(line, '\n'))
	_ = pipe.Close()
}

func fingerprint(key ssh.PublicKey) string { return ssh.FingerprintSHA256(key) }
