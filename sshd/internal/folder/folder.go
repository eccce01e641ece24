// Package folder is the server's state on disk: one folder that only its user can enter.
//
// Everything of a running server is found in it: the host key, the keys that may log in, who
// holds the lock, where it listens, what it logged. A second start, another user's connect and
// the clean-up need nothing but the folder's path.
package folder

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	formerLogName  = logName + ".1"
	temporaryStart = ".new-"
)

// temporaryLetters are 60 bits of chance: a socket's path may not be long.
const temporaryLetters = 12

// A Folder is a state folder that was found to be ours alone. It is held by its descriptor, not by
// its path: on a volume that others may write to, as on every emptyDir, they can put a folder of
// theirs in its place, and then the path leads to keys that are not ours.
type Folder struct {
	path string
	root *os.Root
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
	const tries = 5 // it may be removed and made anew meanwhile
	for try := 1; ; try++ {
		root, err := openOurs(path)
		if err == nil {
			return &Folder{path, root}, nil
		}
		if try == tries || !errors.Is(err, errReplaced) {
			return nil, err
		}
	}
}

var errReplaced = errors.New("the folder is replaced again and again")

func openOurs(path string) (*os.Root, error) {
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !named.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", path)
	}
	if !isOf(named, os.Geteuid()) {
		return nil, fmt.Errorf("%s belongs to another user", path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	if err := claim(root, named); err != nil {
		_ = root.Close()
		return nil, err
	}
	return root, nil
}

// claim makes sure that what was opened is what was looked at, and closes it to others: a volume
// with fsGroup is made group-writable by the kubelet.
func claim(root *os.Root, named os.FileInfo) error {
	opened, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(info, named) {
		return errReplaced
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	return opened.Chmod(0o700)
}

func isOf(info os.FileInfo, users ...int) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return ok && slices.Contains(users, int(owner.Uid))
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
func (f *Folder) LogPath() string { return filepath.Join(f.path, logName) }

// write puts data into a file of the folder, whole or not at all, readable by its user alone.
func (f *Folder) write(name string, data []byte) error {
	err := f.replace(name, data)
	if path := (*fs.PathError)(nil); errors.As(err, &path) { // which names what no user knows
		err = path.Err
	}
	if err != nil {
		return fmt.Errorf("write %s in %s: %w", name, f.path, err)
	}
	return nil
}

func (f *Folder) replace(name string, data []byte) error {
	temporary := temporaryStart + rand.Text()
	file, err := f.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.root.Remove(temporary) }() // gone already where the rename was reached
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return f.root.Rename(temporary, name)
}

// overwrite puts less into a file where it stands, which takes no room. Who reads meanwhile may see some
// of both.
func (f *Folder) overwrite(name string, data []byte) error {
	file, err := f.root.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() < int64(len(data)) {
		err = syscall.ENOSPC
	}
	if err == nil {
		_, err = file.WriteAt(data, 0)
	}
	if err == nil {
		err = file.Truncate(int64(len(data)))
	}
	return errors.Join(err, file.Close())
}

// read is a file of the folder, at most limit bytes of it; a longer one is an error, and so is what
// is no file, which could be waited for without end, or was put there by another user.
func (f *Folder) read(name string, limit int64) ([]byte, error) {
	file, err := f.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s in %s is not a file", name, f.path)
	case !isOf(info, os.Geteuid(), 0):
		return nil, fmt.Errorf("%s in %s belongs to another user", name, f.path)
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s in %s has more than %d bytes", name, f.path, limit)
	}
	return data, err
}

// Remove deletes the folder with all that a server, or who brought it, has put there. The caller
// holds the edit lock, so no start is under way; who waits for it finds the folder gone. The lock
// goes last: who makes a new one after that keeps the folder, and all that he puts there.
func (f *Folder) Remove() error {
	names, err := f.names()
	for _, name := range names {
		if name == editLockName {
			continue
		}
		if failed := f.root.RemoveAll(name); err == nil {
			err = failed
		}
	}
	if err != nil {
		return err
	}
	if err := f.root.Remove(editLockName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = syscall.Rmdir(f.path)
	if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTEMPTY) {
		return &fs.PathError{Op: "rmdir", Path: f.path, Err: err}
	}
	return nil
}

func (f *Folder) names() ([]string, error) {
	entries, err := fs.ReadDir(f.root.FS(), ".")
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, err
}

// Temporary makes a folder 0700 within this one, for sockets; the caller removes it. Its name is
// start and random letters.
func (f *Folder) Temporary(start string) (string, error) {
	name := start + rand.Text()[:temporaryLetters]
	return filepath.Join(f.path, name), f.root.Mkdir(name, 0o700)
}

// Sweep removes what a killed server has left: half-written files, and folders of sockets, whose
// names begin so.
func (f *Folder) Sweep(starts ...string) {
	names, _ := f.names()
	for _, start := range append(starts, temporaryStart) {
		for _, name := range names {
			if strings.HasPrefix(name, start) {
				_ = f.root.RemoveAll(name)
			}
		}
	}
}
