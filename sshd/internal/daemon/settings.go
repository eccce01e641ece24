// Package daemon starts the server, keeps it running, and talks to one that runs.
//
// Three processes: the command that exec started (start), which returns when the server is ready;
// the keeper, which has left exec's session and holds the lock; and the server itself, which the
// keeper starts anew if it crashes. All they share is the state folder and the listening socket.
package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"

	"nodeport-sshd/internal/folder"
)

// Version is the program's. A newer one replaces an older one that runs.
const Version = "0.1.0"

// Protocol is that of start's configuration and of all answers; it changes when a reader of the
// former one would be wrong.
const Protocol = 1

const configLimit = 512 << 10 // bytes of start's input

// Settings are how a server behaves. They hold no secret and stay in the state folder.
type Settings struct {
	// Listen is an IP address, or empty for all of them.
	Listen string `json:"listen,omitempty"`
	// Port is the one to listen on; 0 is any free one.
	Port int `json:"port,omitempty"`
	// PortFallback allows any free port where Port is taken.
	PortFallback bool `json:"port_fallback,omitempty"`
	// IdleExit ends the server when nobody was connected for that many seconds; 0 never.
	IdleExit int `json:"idle_exit_s,omitempty"`
	// KeylessExit ends the server, and removes its folder, when no key is left.
	KeylessExit bool `json:"keyless_exit,omitempty"`
	// AskAlive is after how many seconds a client is asked whether it lives: 30 where it is not
	// given, 0 never.
	AskAlive *int `json:"ask_alive_s,omitempty"`
	// Memory bounds the heap, in MiB: 256 where it is 0, and never more than a third of the
	// container's limit.
	Memory int `json:"memory_mib,omitempty"`
}

// Config is what start reads from its standard input: one JSON object, no end of file needed.
type Config struct {
	Settings
	// HostKey is a private key in PEM, or an ed25519 seed in base64. The folder's own, where it
	// has one, is kept.
	HostKey string `json:"host_key,omitempty"`
	// AuthorizedKeys are lines of authorized_keys, which are added to those of the folder.
	AuthorizedKeys []string `json:"authorized_keys,omitempty"`
	// Replace is when a running server is ended for this one: "older" (where it is empty too),
	// "never" or "always". Connections end with it.
	Replace string `json:"replace,omitempty"`
}

// readConfig reads and checks one object. Unknown fields are refused: they may ask for something
// that this version does not do.
func readConfig(input io.Reader) (Config, []folder.AuthorizedKey, error) {
	var config Config
	decoder := json.NewDecoder(io.LimitReader(input, configLimit))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		// Not err itself where it could quote what it read: the host key is in there.
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return Config{}, nil, errors.New("the configuration on standard input is not a JSON object")
		}
		return Config{}, nil, fmt.Errorf("the configuration on standard input: %w", err)
	}
	keys, err := config.check()
	return config, keys, err
}

func (c Config) check() ([]folder.AuthorizedKey, error) {
	switch {
	case c.Port < 0 || c.Port > 65535:
		return nil, fmt.Errorf("port: %d is none", c.Port)
	case c.Listen != "" && net.ParseIP(c.Listen) == nil:
		return nil, fmt.Errorf("listen: %q is no IP address", c.Listen)
	case c.IdleExit < 0:
		return nil, errors.New("idle_exit_s: negative")
	case c.AskAlive != nil && *c.AskAlive < 0:
		return nil, errors.New("ask_alive_s: negative")
	case c.Memory != 0 && c.Memory < 32:
		return nil, errors.New("memory_mib: less than 32")
	case c.Replace != "" && c.Replace != "older" && c.Replace != "never" && c.Replace != "always":
		return nil, fmt.Errorf("replace: %q is none of older, never, always", c.Replace)
	}
	return parseKeys(c.AuthorizedKeys)
}

func parseKeys(lines []string) ([]folder.AuthorizedKey, error) {
	keys := make([]folder.AuthorizedKey, 0, len(lines))
	for i, line := range lines {
		key, err := folder.ParseKey(line)
		if err != nil {
			return nil, fmt.Errorf("authorized key %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
