package raftkv

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"ringo/codec"
	"ringo/file"
)

// journal is what a replica has to know after a crash: the term, its vote there, and the log. Records are appended to a
// file; those that come while it writes go to the disk together.
type journal struct {
	term uint64
	vote string
	log  []Entry // log[0] stands for what is before the first

	f       *file.File
	at      int64  // the records before that are durable
	pending []byte // and these not yet
}

// record is what the file is made of. One with a First says that the log is Entries from there on.
type record struct {
	Term, First uint64  `json:",omitempty"`
	Vote        string  `json:",omitempty"`
	Entries     []Entry `json:",omitempty"`
}

// openJournal opens the journal of a directory, or makes it. It parks.
func openJournal(name string) (*journal, error) {
	dir, err := file.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	f, err := dir.OpenFile("journal", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f, log: make([]Entry, 1)}
	for r := bufio.NewReader(f); ; {
		var rec record
		n, err := readFrame(r, &rec)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		} else if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		j.at += int64(n)
		j.term, j.vote = rec.Term, rec.Vote
		if rec.First > 0 {
			j.log = append(j.log[:rec.First], rec.Entries...)
		}
	}
	// Records behind a torn one must not come back behind new ones, and what was read may be in memory only.
	if err := cmp.Or(f.Truncate(j.at), f.Sync(), dir.Sync()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return j, nil
}

// last is the index of the last entry.
func (j *journal) last() uint64 { return uint64(len(j.log) - 1) }

// end is where the file will end.
func (j *journal) end() int64 { return j.at + int64(len(j.pending)) }

// flush makes durable what is pending. It parks. After an error nobody knows what is in the file.
func (j *journal) flush() error {
	n := len(j.pending)
	_, err := j.f.WriteAt(j.pending[:n:n], j.at)
	if err = cmp.Or(err, j.f.Datasync()); err == nil {
		j.at, j.pending = j.at+int64(n), j.pending[n:]
	}
	return err
}

// frames are how records stand in the file and how messages travel: the length of a JSON text and its CRC-32, 4 bytes
// each, and the text.
var frames = &codec.Prefixed{Size: 4, Adjust: 4, Max: 8 + frameMax}

func appendFrame(b []byte, v any) []byte {
	text, err := json.Marshal(v)
	if err == nil {
		b, err = frames.AppendLength(b, 4+len(text))
	}
	if err != nil {
		panic(fmt.Sprintf("raftkv: a frame of %d bytes: %v", len(text), err))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(text))
	return append(b, text...)
}

// readFrame reads a frame into v and says how many bytes that was. Where there is none, or only a part of it, the error
// is io.EOF or io.ErrUnexpectedEOF.
func readFrame(src codec.Source, v any) (n int, err error) {
	s := codec.Scanner{Codec: frames}
	p, err := s.Next(nil, src)
	if whole := len(p) > 4 && crc32.ChecksumIEEE(p[4:]) == binary.BigEndian.Uint32(p); whole {
		return 4 + len(p), json.Unmarshal(p[4:], v)
	} else if err == nil || errors.Is(err, bufio.ErrTooLong) {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}
