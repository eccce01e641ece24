// Package folder is the server's state on disk: one folder that only its user can enter.
//
// Everything of a running server is found in it: the host key, the keys that may log in, who
// holds the lock, where it listens, what it logged. A second start, another user's connect and
// the clean-up need nothing but the folder's path.
package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Names of the files in a state folder.
const (
	hostKeyName    = "host_key"
	keysName       = "authorized_keys"
	settingsName   = "settings.json"
	statusName     = "status.json"
	runLockName    = "run.lock"
	editLockName   = "edit.lock"
	logName        = "log"
	temporaryStart = ".new-"
)

// A Folder is a state folder that was found to be ours alone.
type Folder struct {
	path string
}

// Open makes the folder where it is missing, and refuses one that another user owns or that is
// a link: in /tmp somebody else may have put it there first.
func Open(path string) (*Folder, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return Existing(path)
}

// Existing is Open for a folder that has to be there; the error is fs.ErrNotExist where it is not.
func Existing(path string) (*Folder, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", path)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s belongs to another user", path)
	}
	// A volume with fsGroup is made group-writable by the kubelet; what is ours is closed again.
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil {
			return nil, err
		}
	}
	return &Folder{path}, nil
}

func checkPath(path string) error {
	if !filepath.IsAbs(path) || filepath.Clean(path) != path || path == "/" {
		return fmt.Errorf("the state folder must be an absolute path without . or .., not %q", path)
	}
	return nil
}

// Path is the folder's absolute path.
func (f *Folder) Path() string { return f.path }

// LogPath is where the server's log is; its former part stands beside it, with .1 at its end.
func (f *Folder) LogPath() string { return f.in(logName) }

func (f *Folder) in(name string) string { return filepath.Join(f.path, name) }

// write puts data into a file of the folder, whole or not at all, readable by its user alone.
func (f *Folder) write(name string, data []byte) error {
	temporary, err := os.CreateTemp(f.path, temporaryStart)
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }() // gone already where the rename was reached
	if _, err = temporary.Write(data); err == nil {
		err = temporary.Sync()
	}
	if closed := temporary.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), f.in(name))
}

// read is a file of the folder, at most limit bytes of it; a longer one is an error.
func (f *Folder) read(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(f.in(name))
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", f.in(name), limit)
	}
	return os.ReadFile(f.in(name))
}

// Remove deletes the folder with all that a server, or who brought it, has put there.
// The caller holds the edit lock, so no start is under way.
func (f *Folder) Remove() error { return os.RemoveAll(f.path) }

// Temporary makes a folder 0700 within this one, for sockets; the caller removes it.
func (f *Folder) Temporary(pattern string) (string, error) { return os.MkdirTemp(f.path, pattern) }

// Sweep removes what a killed server has left: half-written files and folders of sockets.
func (f *Folder) Sweep(patterns ...string) {
	for _, pattern := range append(patterns, temporaryStart+"*") {
		left, _ := filepath.Glob(f.in(pattern)) // the only error is a bad pattern, and ours are not
		for _, path := range left {
			_ = os.RemoveAll(path)
		}
	}
}
