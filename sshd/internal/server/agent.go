package server

import (
	"net"
	"os"
	"path/filepath"
)

// SocketFolders is how the names begin of the folders that agents' sockets are in.
const SocketFolders = "agent-"

// An agentSocket is a socket through which a session's processes reach the client's ssh-agent.
type agentSocket struct {
	path     string
	folder   string
	listener net.Listener
}

// openAgent listens in a folder that only the user can enter.
func (c *connection) openAgent() (*agentSocket, error) {
	folder, err := c.server.Sockets(SocketFolders)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, "agent")
	listener, err := listenPrivately(path)
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, err
	}
	a := &agentSocket{path, folder, listener}
	c.serving.Go(func() {
		c.offerAll(listener, "auth-agent@openssh.com", func(net.Conn) []byte { return nil })
	})
	return a, nil
}

func (a *agentSocket) close() {
	if a == nil {
		return
	}
	_ = a.listener.Close()
	_ = os.RemoveAll(a.folder)
}
