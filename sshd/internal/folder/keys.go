package folder

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

const (
	keysLimit     = 256 << 10 // bytes of authorized_keys
	keyCountLimit = 1024
	rsaBitsLeast  = 2048
)

// An AuthorizedKey is a public key that may log in.
type AuthorizedKey struct {
	Key     ssh.PublicKey
	Comment string
}

// Line is the key as authorized_keys holds it.
func (k AuthorizedKey) Line() string {
	line := strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(k.Key)), "\n")
	if k.Comment == "" {
		return line
	}
	return line + " " + k.Comment
}

// ParseKey reads one line. Options, certificates and weak keys are refused rather than ignored:
// a key that its owner restricted must not become one without restrictions.
func ParseKey(line string) (AuthorizedKey, error) {
	if strings.ContainsAny(line, "\n\r\x00") {
		return AuthorizedKey{}, errors.New("not one line")
	}
	key, comment, options, rest, err := ssh.ParseAuthorizedKey([]byte(line))
	switch {
	case err != nil:
		return AuthorizedKey{}, errors.New("not a public key")
	case len(bytes.TrimSpace(rest)) != 0:
		return AuthorizedKey{}, errors.New("not one public key")
	case len(options) != 0:
		return AuthorizedKey{}, errors.New("key options are not supported")
	}
	if _, ok := key.(*ssh.Certificate); ok {
		return AuthorizedKey{}, errors.New("certificates are not supported")
	}
	if crypto, ok := key.(ssh.CryptoPublicKey); ok {
		if pub, ok := crypto.CryptoPublicKey().(*rsa.PublicKey); ok && pub.N.BitLen() < rsaBitsLeast {
			return AuthorizedKey{}, fmt.Errorf("RSA keys need at least %d bits", rsaBitsLeast)
		}
	}
	return AuthorizedKey{key, printable(comment)}, nil
}

// printable is text without what would move a terminal's cursor or break a line.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0xfffd {
			return -1
		}
		return r
	}, text)
}

// ParseKeys reads the text of authorized_keys: the keys in it, each once, and why lines were left
// out, each with its number.
func ParseKeys(text []byte) (keys []AuthorizedKey, refused []string) {
	seen := map[string]bool{}
	number := 0
	for raw := range strings.Lines(string(text)) {
		number++
		line := strings.TrimSpace(raw)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := ParseKey(line)
		if err != nil {
			refused = append(refused, fmt.Sprintf("line %d: %v", number, err))
			continue
		}
		if blob := string(key.Key.Marshal()); !seen[blob] && len(keys) < keyCountLimit {
			seen[blob] = true
			keys = append(keys, key)
		}
	}
	return keys, refused
}

// Keys are those that authorized_keys holds now; none where the file is missing.
func (f *Folder) Keys() (keys []AuthorizedKey, refused []string, err error) {
	text, err := f.read(keysName, keysLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	keys, refused = ParseKeys(text)
	return keys, refused, nil
}

// AddKeys adds those that are not there yet. The caller holds the edit lock.
func (f *Folder) AddKeys(added []AuthorizedKey) ([]AuthorizedKey, error) {
	keys, _, err := f.Keys()
	if err != nil {
		return nil, err
	}
	before := len(keys)
	for _, key := range added {
		if !contains(keys, key) {
			keys = append(keys, key)
		}
	}
	if len(keys) > keyCountLimit {
		return nil, fmt.Errorf("more than %d keys", keyCountLimit)
	}
	if len(keys) == before {
		return keys, nil
	}
	return keys, f.writeKeys(keys)
}

// RemoveKeys removes those that are there, on a full disk too. The caller holds the edit lock. Where
// the rest cannot be written, the error comes with those that would be left.
func (f *Folder) RemoveKeys(removed []AuthorizedKey) ([]AuthorizedKey, error) {
	keys, _, err := f.Keys()
	if err != nil {
		return nil, err
	}
	left := make([]AuthorizedKey, 0, len(keys))
	for _, key := range keys {
		if !contains(removed, key) {
			left = append(left, key)
		}
	}
	if len(left) == len(keys) {
		return left, nil
	}
	err = f.writeKeys(left)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		err = f.overwrite(keysName, textOf(left))
	}
	return left, err
}

func contains(keys []AuthorizedKey, key AuthorizedKey) bool {
	blob := key.Key.Marshal()
	for _, other := range keys {
		if bytes.Equal(other.Key.Marshal(), blob) {
			return true
		}
	}
	return false
}

func (f *Folder) writeKeys(keys []AuthorizedKey) error { return f.write(keysName, textOf(keys)) }

func textOf(keys []AuthorizedKey) []byte {
	var text bytes.Buffer
	for _, key := range keys {
		text.WriteString(key.Line() + "\n")
	}
	return text.Bytes()
}

// A KeyRing answers whether a key may log in, by the file as it is at that moment: a look at its
// time, size and inode per question, no watcher that some file systems do not have.
type KeyRing struct {
	folder  *Folder
	mu      sync.Mutex
	stamp   keyStamp
	blobs   map[string]bool
	refused func([]string)
}

type keyStamp struct {
	modified time.Time
	size     int64
	info     os.FileInfo
}

func (s keyStamp) same(info os.FileInfo) bool {
	return s.info != nil && s.modified.Equal(info.ModTime()) && s.size == info.Size() && os.SameFile(s.info, info)
}

// KeyRing is of this folder; refused is told the lines that are left out, at each reading.
func (f *Folder) KeyRing(refused func([]string)) *KeyRing {
	return &KeyRing{folder: f, refused: refused}
}

// Allows is whether the key may log in now.
func (r *KeyRing) Allows(key ssh.PublicKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return r.blobs[string(key.Marshal())]
}

// Empty is whether nobody can log in now.
func (r *KeyRing) Empty() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refresh()
	return len(r.blobs) == 0
}

func (r *KeyRing) refresh() {
	info, err := r.folder.root.Stat(keysName)
	if err == nil && r.stamp.same(info) {
		return
	}
	var keys []AuthorizedKey
	var refused []string
	if err == nil {
		keys, refused, err = r.folder.Keys()
	}
	if passes(err) { // nobody has removed a key: those that were there last still hold
		r.refused([]string{err.Error()})
		return
	}
	r.blobs, r.stamp = nil, keyStamp{}
	if errors.Is(err, fs.ErrNotExist) {
		return // no file, no keys
	}
	if err != nil {
		r.refused([]string{err.Error()})
		return
	}
	r.blobs = make(map[string]bool, len(keys))
	for _, key := range keys {
		r.blobs[string(key.Key.Marshal())] = true
	}
	// A file written in this very moment may be written again within its timestamp's grain.
	if time.Since(info.ModTime()) > 2*time.Second {
		r.stamp = keyStamp{info.ModTime(), info.Size(), info}
	}
	if len(refused) != 0 {
		r.refused(refused)
	}
}

// passes is whether the error says nothing about the file.
func passes(err error) bool {
	for _, number := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EIO} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}
