package folder

import (
	"encoding/json"
)

const recordLimit = 1 << 20

// A Status is what a running server tells of itself, written when it listens.
type Status struct {
	PID         int    `json:"pid"`
	Port        int    `json:"port"`
	Listen      string `json:"listen"`
	Version     string `json:"version"`
	Protocol    int    `json:"protocol"`
	HostKey     string `json:"host_key"`
	Fingerprint string `json:"fingerprint"`
	User        string `json:"user"`
	UID         int    `json:"uid"`
	Home        string `json:"home"`
	Shell       string `json:"shell"`
	Started     string `json:"started"`
}

// WriteStatus replaces the status.
func (f *Folder) WriteStatus(status Status) error { return f.writeRecord(statusName, status) }

// Status is what the server last wrote; it says nothing about whether it still runs.
func (f *Folder) Status() (Status, error) {
	var status Status
	return status, f.readRecord(statusName, &status)
}

// RemoveStatus is for a server that ends.
func (f *Folder) RemoveStatus() { _ = f.root.Remove(statusName) }

// WriteSettings keeps what the server was started with; there is no secret in it.
func (f *Folder) WriteSettings(settings any) error { return f.writeRecord(settingsName, settings) }

// ReadSettings fills settings with what WriteSettings kept.
func (f *Folder) ReadSettings(settings any) error { return f.readRecord(settingsName, settings) }

func (f *Folder) writeRecord(name string, record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	return f.write(name, append(text, '\n'))
}

func (f *Folder) readRecord(name string, record any) error {
	text, err := f.read(name, recordLimit)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, record)
}
