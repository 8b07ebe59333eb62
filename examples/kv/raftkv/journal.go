package raftkv

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"

	"ringo/file"
)

// record is what the journal is made of. Each says the term and the vote of its time. One with a First says that the
// log is Entries from there on.
type record struct {
	Term    uint64
	Vote    string  `json:",omitempty"`
	First   uint64  `json:",omitempty"`
	Entries []Entry `json:",omitempty"`
}

// journal is a file to which records are appended. Those that come while it writes go to the disk together.
type journal struct {
	f       *file.File
	at      int64  // where the next records go
	pending []byte // they are not written yet
	added   uint64 // how many records were added
	synced  uint64 // and are durable
}

// openJournal opens the journal of a directory, or makes it, and tells replay each of its records. It parks.
func openJournal(dir string, replay func(record)) (j *journal, err error) {
	f, err := file.OpenFile(filepath.Join(dir, "journal"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j = &journal{f: f}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	for r := bufio.NewReader(f); ; {
		var rec record
		n, err := readFrame(r, &rec)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errTorn) {
			break
		} else if err != nil {
			return nil, err
		}
		j.at += int64(n)
		replay(rec)
	}
	if err := f.Truncate(j.at); err != nil { // records after a torn one must not come back behind new ones
		return nil, err
	}
	if err := f.Sync(); err != nil { // what was read may have been in the page cache only
		return nil, err
	}
	return j, syncDir(dir)
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := file.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// add has a record written soon.
func (j *journal) add(rec record) {
	j.pending = appendFrame(j.pending, rec)
	j.added++
}

// flush makes durable what was added so far. It parks. After an error nobody knows what is in the file.
func (j *journal) flush() error {
	records, added := j.pending, j.added
	j.pending = nil
	if _, err := j.f.WriteAt(records, j.at); err != nil {
		return err
	}
	if err := j.f.Datasync(); err != nil {
		return err
	}
	j.at += int64(len(records))
	j.synced = added
	return nil
}
