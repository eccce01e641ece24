package folder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// ErrRunning is that another process holds the run lock.
var ErrRunning = errors.New("a server is already running in this folder")

// RunLock is held by a running server for as long as it lives. It is a POSIX record lock: the
// kernel drops it with the process and tells who holds it, so no pid in a file can be stale.
type RunLock struct {
	file *os.File
}

// Run takes the run lock, or fails with ErrRunning. The file must not be opened again in this
// process: closing any descriptor of it would drop the lock.
func (f *Folder) Run() (*RunLock, error) {
	file, err := f.root.OpenFile(runLockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_SETLK, &lock); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return &RunLock{file}, nil
}

// Release lets another server start.
func (l *RunLock) Release() { _ = l.file.Close() }

// Holder is the process id of the running server, 0 where none runs. A server in a container
// with its own process ids, on a shared volume, is an error: it can be neither used nor stopped.
func (f *Folder) Holder() (int, error) {
	file, err := f.root.Open(runLockName) // for reading: the disk may take no writing any more
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = file.Close() }()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	if err := syscall.FcntlFlock(file.Fd(), syscall.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	switch {
	case lock.Type == syscall.F_UNLCK:
		return 0, nil
	case lock.Pid <= 0:
		return 0, fmt.Errorf("%s is in use by a server of another container", f.path)
	}
	return int(lock.Pid), nil
}

// Edit serialises what changes the folder from outside: start, stop, keys. It waits until ctx
// ends; the function that it returns lets the next one go.
func (f *Folder) Edit(ctx context.Context) (func(), error) {
	for {
		file, err := f.openEditLock()
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		// Whoever held it may have removed the folder: then this lock is of a file that is gone.
		if err == nil && f.isCurrent(file) {
			return func() { _ = file.Close() }, nil
		}
		_ = file.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%s is being changed by another command", f.path)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// openEditLock opens the file for reading where the disk takes no writing any more: a server has to be
// stopped there too.
func (f *Folder) openEditLock() (*os.File, error) {
	file, err := f.root.OpenFile(editLockName, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, syscall.EROFS) {
		return f.root.Open(editLockName)
	}
	return file, err
}

func (f *Folder) isCurrent(file *os.File) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	named, err := f.root.Stat(editLockName)
	return err == nil && os.SameFile(held, named)
}
