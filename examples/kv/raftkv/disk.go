package raftkv

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"ringo"
	"ringo/file"
)

// ErrCorrupt is the error for a log or a snapshot that no crash can have left: bytes that were durable have changed.
var ErrCorrupt = errors.New("raftkv: the disk has spoiled what was written")

// sector is the alignment of records, in bytes, so that a write does not touch a sector with durable records.
const sector = 512

// disk is the directory of a replica. The log is a file of records, each of them with raft's messages to its storage.
// The first record has the snapshot that the log begins with. mem has the same content in memory.
type disk struct {
	dir *file.Root
	log *file.File
	at  int64 // where the next record goes; the records before are durable
	mem *memory
	mu  ringo.Mutex // held by tasks that write
}

// memory is the log and the metadata of the last snapshot, for raft to read.
type memory struct {
	*raft.MemoryStorage
	changed uint64 // index of the last entry that changed the members
}

// Snapshot makes raft wait until there is a snapshot that includes the last change of the members: a new member can't
// use an older one.
func (m *memory) Snapshot() (*raftpb.Snapshot, error) {
	snap, err := m.MemoryStorage.Snapshot()
	if err == nil && snap.GetMetadata().GetIndex() < m.changed {
		err = raft.ErrSnapshotTemporarilyUnavailable
	}
	return snap, err
}

// openDisk opens a replica's directory. If the directory is empty, it creates a log with members. It parks.
func openDisk(name string, members []string) (*disk, *store, error) {
	dir, err := file.OpenRoot(name)
	if err != nil {
		return nil, nil, err
	}
	d := &disk{dir: dir, mem: &memory{MemoryStorage: raft.NewMemoryStorage()}}
	s, err := d.open(members)
	if err != nil {
		d.close()
		return nil, nil, err
	}
	return d, s, nil
}

func (d *disk) open(members []string) (s *store, err error) {
	d.log, err = d.dir.OpenFile("log", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.create(members)
	} else if err == nil {
		err = d.replay()
	}
	if err != nil {
		return nil, err
	}
	snap, err := d.mem.Snapshot()
	if err != nil {
		return nil, err
	}
	if s, err = d.load(snap); err != nil {
		return nil, err
	}
	return s, d.clean(func(index uint64) bool { return index != s.applied })
}

func (d *disk) close() {
	if d.log != nil {
		d.log.Close()
	}
	d.dir.Close()
}

// create makes the log of a new replica. The first members are in a snapshot that all of them begin with. A replica
// that joins has no members, and waits for a leader's snapshot.
func (d *disk) create(members []string) error {
	s := &store{data: map[string][]byte{}, members: map[uint64]string{}, conf: &raftpb.ConfState{}}
	for _, addr := range members {
		s.members[number(addr)] = addr
		s.conf.Voters = append(s.conf.Voters, number(addr))
		s.applied = 1
	}
	snap, err := d.keep(s, s.applied)
	if err != nil {
		return err
	}
	first := &raftpb.Message{Snapshot: snap}
	if s.applied > 0 {
		first.Term, first.Commit = new(s.applied), new(s.applied)
	}
	if err = d.take(first); err != nil {
		return err
	}
	return d.restart(snap)
}

// replay reads the log, cuts off what a crash has torn, and makes the rest durable.
func (d *disk) replay() error {
	info, err := d.log.Stat()
	if err != nil {
		return err
	}
	var last []byte // the body of the last record, and where it is
	from := int64(0)
	for d.at < info.Size() {
		body, err := d.record(d.at, info.Size())
		if errors.Is(err, ErrCorrupt) {
			if err = d.torn(info.Size()); err == nil {
				break
			}
		}
		if err != nil {
			return err
		}
		if err := d.replayRecord(body); err != nil {
			return err
		}
		last, from = body, d.at
		d.at += aligned(len(body))
	}
	if d.at == 0 {
		return fmt.Errorf("%w: the log is empty", ErrCorrupt)
	}
	// What was read may be in the page cache only: sync it before anything depends on it. If the last process ended
	// because a sync failed, the kernel takes the last record for written, and another sync would not write it: so
	// write it again. The records before it are durable, since a replica ends with that error.
	_, err = write(d.log, from, last)
	return cmp.Or(err, d.log.Truncate(d.at), d.log.Sync(), d.dir.Sync())
}

func (d *disk) replayRecord(body []byte) error {
	for len(body) > 0 {
		n, at := binary.Uvarint(body)
		m := new(raftpb.Message)
		if at <= 0 || n > uint64(len(body)-at) || proto.Unmarshal(body[at:at+int(n)], m) != nil {
			return fmt.Errorf("%w: the record at %d of the log", ErrCorrupt, d.at)
		}
		if err := d.take(m); err != nil {
			return err
		}
		body = body[at+int(n):]
	}
	return nil
}

// torn returns nil if the broken record at d.at can be what a crash has left, and an error if not: a crash can't tear
// the first record, nor one with a whole record after it.
func (d *disk) torn(size int64) error {
	broken := fmt.Errorf("%w: the record at %d of the log, which has %d bytes", ErrCorrupt, d.at, size)
	if d.at == 0 {
		return broken
	}
	for at := d.at + sector; at < size; at += sector {
		if _, err := d.record(at, size); !errors.Is(err, ErrCorrupt) {
			return cmp.Or(err, broken)
		}
	}
	return nil
}

// record reads a record: the length of its body and its checksum, 4 bytes each, and the body.
func (d *disk) record(at, size int64) ([]byte, error) {
	var head [8]byte
	if at+8 > size {
		return nil, ErrCorrupt
	} else if _, err := d.log.ReadAt(head[:], at); err != nil {
		return nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n == 0 || n > recordMax || at+8+n > size {
		return nil, ErrCorrupt
	}
	body := make([]byte, n)
	if _, err := d.log.ReadAt(body, at+8); err != nil {
		return nil, err
	}
	if checksum(at, body) != binary.BigEndian.Uint32(head[4:]) {
		return nil, ErrCorrupt
	}
	return body, nil
}

// checksum covers the offset as well, so that a record copied to another place is not taken for one.
func checksum(at int64, body []byte) uint32 {
	sum := crc32.ChecksumIEEE(binary.BigEndian.AppendUint64(nil, uint64(at)))
	return crc32.Update(sum, crc32.IEEETable, body)
}

// aligned returns how many bytes of the file a record takes.
func aligned(body int) int64 { return (int64(body) + 8 + sector - 1) &^ (sector - 1) }

// write appends a record to a log, and returns where the next one goes. It parks.
func write(f *file.File, at int64, body []byte) (int64, error) {
	if len(body) > recordMax {
		return at, fmt.Errorf("raftkv: a record of %d bytes is more than there may be", len(body))
	}
	rec := make([]byte, aligned(len(body)))
	binary.BigEndian.PutUint32(rec, uint32(len(body)))
	binary.BigEndian.PutUint32(rec[4:], checksum(at, body))
	copy(rec[8:], body)
	_, err := f.WriteAt(rec, at)
	return at + int64(len(rec)), err
}

// appendStored appends to a record the fields of a message that raft wants to be stored.
func appendStored(body []byte, m *raftpb.Message) []byte {
	kept := &raftpb.Message{Term: m.Term, Vote: m.Vote, Commit: m.Commit, Entries: m.Entries, Snapshot: m.Snapshot}
	body = binary.AppendUvarint(body, uint64(proto.Size(kept)))
	body, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(body, kept)
	if err != nil {
		panic(fmt.Sprintf("raftkv: a record: %v", err))
	}
	return body
}

// save makes durable what the messages say, by one write and one fdatasync. A new commit index alone is not written:
// it waits for the next record, since raft does not need it to be durable. It parks. After an error the content of the
// file is unknown, so the replica has to end.
func (d *disk) save(ms []*raftpb.Message) error {
	var body []byte
	hard, _, _ := d.mem.InitialState()
	for _, m := range ms {
		if now := hardState(m); len(m.Entries) > 0 || now != nil && raft.MustSync(now, hard, 0) {
			body = appendStored(body, m)
		}
	}
	if len(body) > 0 {
		at, err := write(d.log, d.at, body)
		if err = cmp.Or(err, d.log.Datasync()); err != nil {
			return err
		}
		d.at = at
	}
	for _, m := range ms {
		if err := d.take(m); err != nil {
			return err
		}
	}
	return nil
}

// take applies a message to mem.
func (d *disk) take(m *raftpb.Message) error {
	if m.Snapshot != nil {
		if err := d.mem.ApplySnapshot(m.Snapshot); err != nil {
			return err
		}
	}
	if hard := hardState(m); hard != nil {
		d.mem.SetHardState(hard)
	}
	return d.mem.Append(m.Entries)
}

// hardState returns the term, vote and commit index of a message, or nil if it has none.
func hardState(m *raftpb.Message) *raftpb.HardState {
	if m.Term == nil {
		return nil
	}
	return &raftpb.HardState{Term: m.Term, Vote: m.Vote, Commit: m.Commit}
}

// restart replaces the log by a new one. It begins with snap, which is durable and in mem already, and has mem's
// entries after it. It parks.
func (d *disk) restart(snap *raftpb.Snapshot) error {
	f, err := d.dir.OpenFile("log.new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	at, err := d.rewrite(f, snap)
	if err = cmp.Or(err, f.Sync()); err == nil {
		err = cmp.Or(d.dir.Rename("log.new", "log"), d.dir.Sync())
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if d.log != nil {
		d.log.Close()
	}
	d.log, d.at = f, at
	return d.clean(func(index uint64) bool { return index < snap.GetMetadata().GetIndex() })
}

func (d *disk) rewrite(f *file.File, snap *raftpb.Snapshot) (at int64, err error) {
	first := &raftpb.Message{Snapshot: snap}
	if hard, _, _ := d.mem.InitialState(); hard != nil {
		first.Term, first.Vote = hard.Term, hard.Vote
		first.Commit = new(max(hard.GetCommit(), snap.GetMetadata().GetIndex()))
	}
	last, _ := d.mem.LastIndex()
	at, err = write(f, 0, appendStored(nil, first))
	for next := snap.GetMetadata().GetIndex() + 1; err == nil && next <= last; {
		var es []*raftpb.Entry
		if es, err = d.mem.Entries(next, last+1, messageMax); err == nil {
			next += uint64(len(es))
			at, err = write(f, at, appendStored(nil, &raftpb.Message{Entries: es}))
		}
	}
	return at, err
}

// compact makes the log begin with a snapshot that is durable. In memory the last keep entries before it remain, for
// followers that are a little late. It parks.
func (d *disk) compact(snap *raftpb.Snapshot, keep uint64) error {
	index := snap.GetMetadata().GetIndex()
	_, err := d.mem.CreateSnapshot(index, snap.GetMetadata().GetConfState(), nil)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return nil // a leader's snapshot was installed meanwhile
	}
	if first, _ := d.mem.FirstIndex(); err == nil && index > first+keep {
		err = d.mem.Compact(index - keep)
	}
	if err != nil {
		return err
	}
	return d.restart(snap)
}

// snapshotName returns the name of the file with a snapshot's data.
func snapshotName(index uint64) string { return fmt.Sprintf("snap-%016x", index) }

// clean removes the snapshot files that unwanted returns true for.
func (d *disk) clean(unwanted func(index uint64) bool) error {
	list, err := d.dir.ReadDir(".")
	for _, e := range list {
		var index uint64
		if n, _ := fmt.Sscanf(e.Name(), "snap-%x", &index); n == 1 && unwanted(index) {
			err = cmp.Or(err, d.dir.Remove(e.Name()))
		}
	}
	return err
}

// receive writes the file of a snapshot by fill, and makes it durable. It parks.
func (d *disk) receive(temp string, index uint64, fill func(io.Writer) error) error {
	f, err := d.dir.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = cmp.Or(fill(f), f.Sync())
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return cmp.Or(d.dir.Rename(temp, snapshotName(index)), d.dir.Sync())
}

// MakeDir makes a replica's directory, unless it is there, so that a power failure does not take it away. It waits for
// the disk: call it before Run.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	parent, err := os.Open(filepath.Dir(filepath.Clean(dir)))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}
