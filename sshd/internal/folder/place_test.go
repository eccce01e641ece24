package folder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// On an emptyDir, which every user of the pod may write to, others can rename our folder and make
// one of theirs.
func TestAFolderThatOthersPutInItsPlaceIsNotUsed(t *testing.T) {
	folder := newFolder(t)
	mine, theirs, later := newKey(t, "mine"), newKey(t, "theirs"), newKey(t, "later")
	_, err := folder.AddKeys([]AuthorizedKey{mine})
	must(t, err)
	ring := folder.KeyRing(func([]string) {})
	away := folder.Path() + "-away"
	must(t, os.Rename(folder.Path(), away))
	must(t, os.Mkdir(folder.Path(), 0o755))
	must(t, os.WriteFile(in(folder, keysName), []byte(theirs.Line()+"\n"), 0o644))
	if ring.Allows(theirs.Key) || !ring.Allows(mine.Key) {
		t.Error("their keys let somebody in")
	}
	_, err = folder.AddKeys([]AuthorizedKey{later})
	must(t, err)
	folder.OpenLog().Printf("a line")
	must(t, folder.WriteStatus(Status{PID: 1}))
	if !ring.Allows(later.Key) {
		t.Error("a key was written elsewhere")
	}
	for _, name := range []string{logName, statusName} {
		if _, err := os.Stat(filepath.Join(away, name)); err != nil {
			t.Error(err)
		}
	}
	must(t, folder.Remove())
	if text, err := os.ReadFile(in(folder, keysName)); err != nil || string(text) != theirs.Line()+"\n" {
		t.Errorf("theirs was touched: %q %v", text, err)
	}
}

func TestWhatIsNoFileOfOursIsNotRead(t *testing.T) {
	folder := newFolder(t)
	key := newKey(t, "")
	ring := folder.KeyRing(func([]string) {})
	must(t, syscall.Mkfifo(in(folder, keysName), 0o600))
	outside := filepath.Join(t.TempDir(), "keys")
	must(t, os.WriteFile(outside, []byte(key.Line()), 0o600))
	answered := make(chan bool)
	go func() { answered <- ring.Allows(key.Key) }()
	select {
	case allowed := <-answered:
		if allowed {
			t.Error("a FIFO lets somebody in")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("a FIFO is waited for")
	}
	must(t, os.Remove(in(folder, keysName)))
	must(t, os.Symlink(outside, in(folder, keysName)))
	if ring.Allows(key.Key) {
		t.Error("a link leads out of the folder")
	}
	if os.Geteuid() == 0 {
		must(t, os.Remove(in(folder, keysName)))
		must(t, os.WriteFile(in(folder, keysName), []byte(key.Line()), 0o644))
		must(t, os.Chown(in(folder, keysName), 12345, 12345))
		if ring.Allows(key.Key) {
			t.Error("another user's file lets somebody in")
		}
	}
}

func TestKeysHoldWhileTheirFileCannotBeOpened(t *testing.T) {
	folder := newFolder(t)
	key := newKey(t, "")
	_, err := folder.AddKeys([]AuthorizedKey{key})
	must(t, err)
	told := 0
	ring := folder.KeyRing(func([]string) { told++ })
	if !ring.Allows(key.Key) {
		t.Fatal("a key is not allowed")
	}
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: limit.Max}))
	allowed, empty := ring.Allows(key.Key), ring.Empty()
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	if !allowed || empty || told == 0 {
		t.Errorf("allowed %v, empty %v, told %d times", allowed, empty, told)
	}
	_, err = folder.RemoveKeys([]AuthorizedKey{key})
	must(t, err)
	if ring.Allows(key.Key) || !ring.Empty() {
		t.Error("a removed key is allowed")
	}
}

func TestAKeyIsRemovedOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small disk cannot be mounted: %v", err)
	}
	defer func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) }()
	folder, err := Open(filepath.Join(disk, "state"))
	must(t, err)
	stays, goes := newKey(t, "stays"), newKey(t, "goes")
	_, err = folder.AddKeys([]AuthorizedKey{goes, stays})
	must(t, err)
	if err := os.WriteFile(filepath.Join(disk, "full"), make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	if _, err := folder.AddKeys([]AuthorizedKey{newKey(t, "")}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a key was added: %v", err)
	}
	left, err := folder.RemoveKeys([]AuthorizedKey{goes})
	must(t, err)
	text, err := os.ReadFile(in(folder, keysName))
	must(t, err)
	if len(left) != 1 || string(text) != stays.Line()+"\n" {
		t.Errorf("%d keys: %q", len(left), text)
	}
	ring := folder.KeyRing(func([]string) {})
	if ring.Allows(goes.Key) || !ring.Allows(stays.Key) {
		t.Error("the ring does not follow")
	}
}

// Who comes while the folder is removed has either been there before, or keeps what he adds.
func TestWhatComesWhileTheFolderGoesIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	newcomers := make([]AuthorizedKey, 10)
	for i := range newcomers {
		newcomers[i] = newKey(t, "")
	}
	for range 5 {
		folder, err := Open(path)
		must(t, err)
		for i := range 200 { // so that it takes a moment
			must(t, os.WriteFile(in(folder, fmt.Sprint("file-", i)), nil, 0o600))
		}
		var all sync.WaitGroup
		var seen []AuthorizedKey
		all.Go(func() { seen = removeUnderLock(t, folder) })
		for i, key := range newcomers {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 500 * time.Microsecond)
				addUnderLock(t, path, key)
			})
		}
		all.Wait()
		folder, err = Open(path)
		must(t, err)
		keys, _, err := folder.Keys()
		must(t, err)
		for _, key := range newcomers {
			if contains(keys, key) == contains(seen, key) {
				t.Fatalf("%d keys are left, and who removed the folder saw %d", len(keys), len(seen))
			}
		}
		must(t, folder.Remove())
	}
}

// removeUnderLock returns the keys that went.
func removeUnderLock(t *testing.T, folder *Folder) []AuthorizedKey {
	release, err := folder.Edit(context.Background())
	if err != nil {
		t.Error(err)
		return nil
	}
	defer release()
	keys, _, err := folder.Keys()
	if err := errors.Join(err, folder.Remove()); err != nil {
		t.Error(err)
	}
	return keys
}

// addUnderLock makes the folder where it is missing, as start does.
func addUnderLock(t *testing.T, path string, key AuthorizedKey) {
	for {
		folder, err := Open(path)
		if err == nil {
			var release func()
			if release, err = folder.Edit(context.Background()); err == nil {
				_, err = folder.AddKeys([]AuthorizedKey{key})
				release()
			}
		}
		if err == nil {
			return
		}
		if !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
			return
		}
	}
}
