package folder

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"

	"golang.org/x/crypto/ssh"
)

const hostKeyLimit = 16 << 10

// ParseHostKey reads a private key in OpenSSH's or another PEM form, or a raw ed25519 seed:
// 32 bytes in base64. The PEM text that it returns is what HostKey reads again.
func ParseHostKey(text string) (pemText []byte, signer ssh.Signer, err error) {
	if seed, err := base64.StdEncoding.DecodeString(text); err == nil && len(seed) == ed25519.SeedSize {
		block, err := ssh.MarshalPrivateKey(ed25519.NewKeyFromSeed(seed), "")
		if err != nil {
			return nil, nil, err
		}
		text = string(pem.EncodeToMemory(block))
	}
	signer, err = ssh.ParsePrivateKey([]byte(text))
	if err != nil {
		// The library's own error may quote the text.
		return nil, nil, errors.New("the host key is neither a PEM private key without passphrase nor an ed25519 seed in base64")
	}
	return []byte(text), signer, nil
}

// HostKey is the key that the folder holds; fs.ErrNotExist where it holds none.
func (f *Folder) HostKey() (ssh.Signer, error) {
	text, err := f.read(hostKeyName, hostKeyLimit)
	if err != nil {
		return nil, err
	}
	_, signer, err := ParseHostKey(string(text))
	return signer, err
}

// KeepHostKey stores the key unless the folder has one already: who pinned that one goes on to
// trust this server. A file that is no key is replaced.
func (f *Folder) KeepHostKey(pemText []byte) error {
	_, err := f.HostKey()
	if err == nil {
		return nil
	}
	var path *fs.PathError
	if errors.As(err, &path) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.write(hostKeyName, pemText)
}
