package folder

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newFolder(t testing.TB) *Folder {
	t.Helper()
	folder, err := Open(filepath.Join(t.TempDir(), "state"))
	must(t, err)
	return folder
}

func in(folder *Folder, name string) string { return filepath.Join(folder.Path(), name) }

func newKey(t testing.TB, comment string) AuthorizedKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	return AuthorizedKey{key, comment}
}

func TestOpen(t *testing.T) {
	parent := t.TempDir()
	path := filepath.Join(parent, "state")
	for range 2 { // it may be there already
		folder, err := Open(path)
		must(t, err)
		info, err := os.Stat(folder.Path())
		must(t, err)
		if info.Mode().Perm() != 0o700 {
			t.Fatalf("mode %o", info.Mode().Perm())
		}
		must(t, os.Chmod(path, 0o777)) // as a volume's fsGroup would do
	}
	link, file := filepath.Join(parent, "link"), filepath.Join(parent, "file")
	must(t, errors.Join(os.Symlink(path, link), os.WriteFile(file, nil, 0o600)))
	for _, bad := range []string{link, file, "relative", "/", path + "/", parent + "/../x", "", filepath.Join(parent, "a", "b")} {
		if _, err := Open(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := Existing(filepath.Join(parent, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestAnotherUsersFolderIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	path := filepath.Join(t.TempDir(), "state")
	must(t, errors.Join(os.Mkdir(path, 0o700), os.Chown(path, 12345, 12345)))
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Fatalf("%v", err)
	}
}

func TestKeysAreAddedAndRemoved(t *testing.T) {
	folder := newFolder(t)
	a, b := newKey(t, "a@host"), newKey(t, "")
	keys, err := folder.AddKeys([]AuthorizedKey{a, b, a})
	must(t, err)
	if len(keys) != 2 {
		t.Fatalf("%v", keys)
	}
	again := a
	again.Comment = "another name for it"
	keys, err = folder.AddKeys([]AuthorizedKey{again})
	must(t, err)
	if len(keys) != 2 || keys[0].Comment != "a@host" {
		t.Fatalf("%v", keys)
	}
	keys, err = folder.RemoveKeys([]AuthorizedKey{a, newKey(t, "")})
	must(t, err)
	if len(keys) != 1 || !bytes.Equal(keys[0].Key.Marshal(), b.Key.Marshal()) {
		t.Fatalf("%v", keys)
	}
	info, err := os.Stat(in(folder, keysName))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %o", info.Mode().Perm())
	}
}

func TestParseKeyRefuses(t *testing.T) {
	line := newKey(t, "").Line()
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		key, err := ssh.NewPublicKey(&small.PublicKey)
		must(t, err)
		if _, err := ParseKey(AuthorizedKey{key, ""}.Line()); err == nil {
			t.Error("a weak key is taken")
		}
	}
	for _, bad := range []string{
		"", "# comment", "ssh-ed25519 AAAA", `command="x" ` + line, "restrict " + line, "cert-authority " + line,
		line + "\n" + line, line + "\x00", "ssh-dss AAAAB3NzaC1kc3MAAAAA",
	} {
		if key, err := ParseKey(bad); err == nil {
			t.Errorf("%q is taken: %+v", bad, key)
		}
	}
	if key, err := ParseKey(line + " some\x1b[2J one"); err != nil || key.Comment != "some[2J one" {
		t.Errorf("%q %v", key.Comment, err)
	}
}

func TestTheRingFollowsTheFile(t *testing.T) {
	folder := newFolder(t)
	a, b := newKey(t, ""), newKey(t, "")
	var refused []string
	ring := folder.KeyRing(func(lines []string) { refused = lines })
	if !ring.Empty() || ring.Allows(a.Key) {
		t.Fatal("keys of a missing file")
	}
	for _, round := range []struct {
		text string
		a, b bool
	}{
		{a.Line(), true, false}, {b.Line() + "\n", false, true}, {a.Line() + "\r\nnonsense\n" + b.Line(), true, true}, {"", false, false},
	} {
		must(t, os.WriteFile(in(folder, keysName), []byte(round.text), 0o600)) // by hand, in place
		if ring.Allows(a.Key) != round.a || ring.Allows(b.Key) != round.b || ring.Empty() != (!round.a && !round.b) {
			t.Fatalf("%q", round.text)
		}
	}
	if len(refused) != 1 || !strings.HasPrefix(refused[0], "line 2: ") {
		t.Fatalf("%q", refused)
	}
	must(t, os.WriteFile(in(folder, keysName), []byte(strings.Repeat("#", keysLimit+1)), 0o600))
	if !ring.Empty() {
		t.Fatal("a file without bounds is read")
	}
	must(t, os.WriteFile(in(folder, keysName), []byte(a.Line()), 0o600))
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(in(folder, keysName), old, old))
	if !ring.Allows(a.Key) {
		t.Fatal("an old file")
	}
	must(t, os.Remove(in(folder, keysName)))
	if ring.Allows(a.Key) {
		t.Fatal("a removed file")
	}
}

func TestHostKey(t *testing.T) {
	folder := newFolder(t)
	if _, err := folder.HostKey(); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%v", err)
	}
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	first, signer, err := ParseHostKey(base64.StdEncoding.EncodeToString(seed))
	must(t, err)
	must(t, folder.KeepHostKey(first))
	kept, err := folder.HostKey()
	must(t, err)
	if !bytes.Equal(kept.PublicKey().Marshal(), signer.PublicKey().Marshal()) {
		t.Fatal("another key")
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	must(t, err)
	second, _, err := ParseHostKey(string(pem.EncodeToMemory(block)))
	must(t, err)
	must(t, folder.KeepHostKey(second))
	kept, err = folder.HostKey()
	must(t, err)
	if !bytes.Equal(kept.PublicKey().Marshal(), signer.PublicKey().Marshal()) {
		t.Fatal("the folder's own key was replaced")
	}
	for _, bad := range []string{"", "secret words", base64.StdEncoding.EncodeToString(seed[1:]), "-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n"} {
		if _, _, err := ParseHostKey(bad); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	must(t, os.WriteFile(in(folder, hostKeyName), []byte("cut off"), 0o600))
	must(t, folder.KeepHostKey(second))
	if _, err := folder.HostKey(); err != nil {
		t.Fatal(err)
	}
}

func TestOneEditAtATime(t *testing.T) {
	folder := newFolder(t)
	release, err := folder.Edit(context.Background())
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, err := folder.Edit(ctx); err == nil {
		t.Fatal("two at once")
	}
	release()
	var waiting sync.WaitGroup
	var inside, done atomic.Int32
	for range 20 {
		waiting.Go(func() {
			release, err := folder.Edit(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			if inside.Add(1) != 1 {
				t.Error("two at once")
			}
			done.Add(1)
			inside.Add(-1)
			release()
		})
	}
	waiting.Wait()
	if done.Load() != 20 {
		t.Fatal(done.Load())
	}
}

func TestTheLogIsCapped(t *testing.T) {
	folder := newFolder(t)
	log := folder.OpenLog()
	for range 3 * logLimit / lineLimit {
		log.Printf("%s", strings.Repeat("x", 2*lineLimit))
	}
	log.Printf("evil \n2026 fake line \x1b[31m \u202e %s", "\xff")
	text, err := os.ReadFile(folder.LogPath())
	must(t, err)
	last := text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
	if want := ` evil \n2026 fake line \x1b[31m \u202e \ufffd` + "\n"; !strings.HasSuffix(string(last), want) {
		t.Fatalf("%q", last)
	}
	for _, path := range []string{folder.LogPath(), folder.LogPath() + ".1"} {
		info, err := os.Stat(path)
		must(t, err)
		if info.Size() > logLimit || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d bytes, mode %o", path, info.Size(), info.Mode().Perm())
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte("# comment\nssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHWAJjA7jvVzPMde+xyCSz/ri0EW92FLrOzzEhKl6Fmx a@b\n"))
	f.Add([]byte("command=\"x\" ssh-rsa AAAA\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, _ := ParseKeys(text)
		for _, key := range keys {
			again, err := ParseKey(key.Line())
			if err != nil || !bytes.Equal(again.Key.Marshal(), key.Key.Marshal()) {
				t.Fatalf("%q: %v", key.Line(), err)
			}
		}
	})
}

func FuzzSanitize(f *testing.F) {
	f.Add("a\nb\x1b[0m\xff\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		line := Sanitize(text, 100)
		for _, r := range line {
			if r < ' ' || r == 0x7f || r == 0x1b || r == '\u202e' {
				t.Fatalf("%q", line)
			}
		}
	})
}
