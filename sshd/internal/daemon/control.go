package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"syscall"
	"time"

	"nodeport-sshd/internal/folder"
)

const (
	editPatience = 30 * time.Second // for other commands on the same folder
	stopPatience = 15 * time.Second // for a server that was asked to end
)

// An Answer is what every command prints: one line of JSON.
type Answer struct {
	// State is started, running, replaced, stopped or absent.
	State string `json:"state"`
	// Keys are those that may log in.
	Keys []Key `json:"keys"`
	// Connections are those to the server's port, of all kinds; -1 where the kernel does not tell.
	Connections int `json:"connections"`
	// Folder is the state folder.
	Folder string `json:"folder"`
	// Log is where the server's log is.
	Log string `json:"log"`
	// Server is the running one; of stop, the one that ran.
	Server *folder.Status `json:"server,omitempty"`
}

// A Key is one that may log in, for people to read and for programs to compare.
type Key struct {
	Line        string `json:"line"`
	Fingerprint string `json:"fingerprint"`
	Comment     string `json:"comment"`
}

// A Failure is an error with a word that programs can act on.
type Failure struct {
	Code string
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// failure adds the word, where err has none yet.
func failure(code string, err error) error {
	var has *Failure
	if err == nil || errors.As(err, &has) {
		return err
	}
	return &Failure{code, err}
}

// Status tells what runs in the folder.
func Status(path string) (Answer, error) {
	state, err := existing(path)
	if state == nil {
		return absent(path), err
	}
	return survey(state)
}

// AddKey adds the key that input's one line holds. The server need not run.
func AddKey(ctx context.Context, path string, input io.Reader) (Answer, error) {
	key, err := readKey(input)
	if err != nil {
		return Answer{}, err
	}
	state, err := folder.Existing(path)
	if err != nil {
		return Answer{}, failure("no-folder", err)
	}
	return edit(ctx, state, func() error {
		_, err := state.AddKeys([]folder.AuthorizedKey{key})
		return err
	})
}

// RemoveKey removes the key that input's one line holds, which ends its connections. With
// stopLast, and no key left, the server ends and the folder goes, before anybody could add one.
func RemoveKey(ctx context.Context, path string, input io.Reader, stopLast bool) (Answer, error) {
	key, err := readKey(input)
	if err != nil {
		return Answer{}, err
	}
	state, err := existing(path)
	if state == nil {
		return absent(path), err
	}
	release, err := lock(ctx, state)
	if errors.Is(err, fs.ErrNotExist) { // another command has removed it meanwhile
		return absent(path), nil
	}
	if err != nil {
		return Answer{}, err
	}
	defer release()
	left, err := state.RemoveKeys([]folder.AuthorizedKey{key})
	if stopLast && left != nil && len(left) == 0 { // on a full disk too
		return end(state, true)
	}
	if err != nil {
		return Answer{}, failure("folder", err)
	}
	return survey(state)
}

// Stop ends the server and its connections. With purge the folder goes too, with all in it.
func Stop(ctx context.Context, path string, purge bool) (Answer, error) {
	state, err := existing(path)
	if state == nil {
		return absent(path), err
	}
	release, err := lock(ctx, state)
	if errors.Is(err, fs.ErrNotExist) { // likewise
		return absent(path), nil
	}
	if err != nil {
		return Answer{}, err
	}
	defer release()
	return end(state, purge)
}

// existing is nil without an error where there is no such folder.
func existing(path string) (*folder.Folder, error) {
	state, err := folder.Existing(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure("folder", err)
	}
	return state, nil
}

func absent(path string) Answer { return Answer{State: "absent", Keys: []Key{}, Folder: path} }

func lock(ctx context.Context, state *folder.Folder) (func(), error) {
	ctx, cancel := context.WithTimeout(ctx, editPatience)
	defer cancel()
	release, err := state.Edit(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure("no-folder", err)
	}
	return release, failure("folder", err)
}

func edit(ctx context.Context, state *folder.Folder, change func() error) (Answer, error) {
	release, err := lock(ctx, state)
	if err != nil {
		return Answer{}, err
	}
	defer release()
	if err := change(); err != nil {
		return Answer{}, failure("folder", err)
	}
	return survey(state)
}

// survey is the folder and the server as they are now.
func survey(state *folder.Folder) (Answer, error) {
	answer := Answer{State: "stopped", Folder: state.Path(), Log: state.LogPath(), Keys: []Key{}}
	keys, _, err := state.Keys()
	if err != nil {
		return Answer{}, failure("folder", err)
	}
	for _, key := range keys {
		answer.Keys = append(answer.Keys, Key{key.Line(), fingerprint(key.Key), key.Comment})
	}
	pid, err := state.Holder()
	if err != nil {
		return Answer{}, failure("other-container", err)
	}
	if pid == 0 {
		return answer, nil
	}
	status, err := state.Status()
	if err != nil || status.PID != pid {
		return Answer{}, failure("not-ready", fmt.Errorf("process %d holds %s and does not serve yet", pid, state.Path()))
	}
	answer.State, answer.Server = "running", &status
	answer.Connections = connectionsTo(status.Port)
	return answer, nil
}

// end stops what runs. The caller holds the edit lock.
func end(state *folder.Folder, purge bool) (Answer, error) {
	answer, err := survey(state)
	var notReady *Failure
	if err != nil && !(errors.As(err, &notReady) && notReady.Code == "not-ready") {
		return Answer{}, err
	}
	if err := endProcess(state); err != nil {
		return Answer{}, failure("stop", err)
	}
	answer.State, answer.Connections = "stopped", 0
	if answer.Folder == "" {
		answer.Folder, answer.Keys = state.Path(), []Key{}
	}
	if purge {
		answer.State, answer.Keys = "absent", []Key{}
		if err := state.Remove(); err != nil {
			return Answer{}, failure("folder", err)
		}
	}
	return answer, nil
}

// endProcess asks the keeper to end, and kills it where it does not.
func endProcess(state *folder.Folder) error {
	deadline := time.Now().Add(stopPatience)
	signal := syscall.SIGTERM
	for asked := 0; ; {
		pid, err := state.Holder()
		if err != nil || pid == 0 {
			return err
		}
		if pid != asked {
			asked = pid
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("process %d: %w", pid, err)
			}
		}
		if time.Now().After(deadline) {
			if signal == syscall.SIGKILL {
				return fmt.Errorf("process %d does not end", pid)
			}
			signal, asked, deadline = syscall.SIGKILL, 0, time.Now().Add(stopPatience)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func readKey(input io.Reader) (folder.AuthorizedKey, error) {
	line, err := readLine(input)
	if err != nil {
		return folder.AuthorizedKey{}, failure("key", err)
	}
	key, err := folder.ParseKey(line)
	return key, failure("key", err)
}

// readLine is the first line; an exec stream may have no end.
func readLine(input io.Reader) (string, error) {
	const limit = 64 << 10
	var line strings.Builder
	one := make([]byte, 1)
	for line.Len() < limit {
		n, err := input.Read(one)
		if n == 1 && one[0] == '\n' || err == io.EOF {
			return strings.TrimSuffix(line.String(), "\r"), nil
		}
		if err != nil {
			return "", err
		}
		line.Write(one[:n])
	}
	return "", errors.New("the line on standard input is too long")
}

// older is whether version a came before b; what is no version of numbers came before all.
func older(a, b string) bool {
	mine, yours := numbers(a), numbers(b)
	for i := range mine {
		if mine[i] != yours[i] {
			return mine[i] < yours[i]
		}
	}
	return false
}

func numbers(version string) (parsed [3]int) {
	for i, part := range strings.SplitN(version, ".", 3) {
		number, err := strconv.Atoi(part)
		if err != nil || number < 0 {
			return [3]int{}
		}
		parsed[i] = number
	}
	return parsed
}
