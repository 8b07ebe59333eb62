package cmsg

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
)

var (
	v4 = netip.MustParseAddr("192.0.2.1")
	v6 = netip.MustParseAddr("2001:db8::1")
)

// one parses a buffer that holds exactly one message.
func one(t *testing.T, b []byte) Message {
	t.Helper()
	m, rest, ok := Next(b)
	if !ok || len(rest) != 0 {
		t.Fatalf("%x: a message: %v, and %d bytes behind it", b, ok, len(rest))
	}
	return m
}

func TestRoundTrip(t *testing.T) {
	for name, c := range map[string]struct {
		b    []byte
		size int
		read func(m Message) bool
	}{
		"tos": {AppendTOS(nil, false, 0xb9), 4, func(m Message) bool { v, ok := m.TOS(); return ok && v == 0xb9 }},
		"class": {AppendTOS(nil, true, 0x03), 4, func(m Message) bool {
			v, ok := m.TOS()
			return ok && v&ECNMask == 3
		}},
		"ttl":   {AppendTTL(nil, false, 64), 4, func(m Message) bool { v, ok := m.TTL(); return ok && v == 64 }},
		"limit": {AppendTTL(nil, true, 255), 4, func(m Message) bool { v, ok := m.TTL(); return ok && v == 255 }},
		"segment": {AppendSegment(nil, 1200), 2, func(m Message) bool {
			v, ok := m.Segment()
			return ok && v == 1200
		}},
		"time to leave": {AppendTXTime(nil, time.Hour), 8, func(m Message) bool {
			return m.is(LevelSocket, TXTime, 8) && int64(binary.NativeEndian.Uint64(m.Data)) >= int64(time.Hour)
		}},
		"byte tos": {Append(nil, LevelIP, IPTOS, []byte{2}), 1, func(m Message) bool {
			v, ok := m.TOS()
			return ok && v == 2
		}},
		"gro": {appendInt(nil, LevelUDP, GRO, 1400), 4, func(m Message) bool {
			v, ok := m.GRO()
			return ok && v == 1400
		}},
		"drops": {appendInt(nil, LevelSocket, Overflow, 7), 4, func(m Message) bool {
			v, ok := m.Drops()
			return ok && v == 7
		}},
		"info": {Append(nil, LevelIP, IPInfo, []byte{0: 3, 4: 10, 7: 9, 8: 192, 9: 0, 10: 2, 11: 1}), 12,
			func(m Message) bool {
				v, ok := m.Info()
				return ok && v == Info{leading(3), v4, netip.AddrFrom4([4]byte{10, 0, 0, 9})}
			}},
		"info of what came early": {Append(nil, LevelIP, IPInfo, []byte{0: 3, 8: 192, 9: 0, 10: 2, 11: 1}), 12,
			func(m Message) bool {
				v, ok := m.Info()
				return ok && v == Info{leading(3), v4, v4}
			}},
		"info of what came early to all": {
			Append(nil, LevelIP, IPInfo, []byte{0: 3, 8: 255, 9: 255, 10: 255, 11: 255}), 12,
			func(m Message) bool {
				v, ok := m.Info()
				return ok && v == Info{Index: leading(3), Dst: broadcast}
			}},
		"info of a group of IPv6": {AppendInfo(nil, true, 9, netip.MustParseAddr("ff02::1")), 20, func(m Message) bool {
			v, ok := m.Info()
			return ok && v == Info{Index: 9, Dst: netip.MustParseAddr("ff02::1")}
		}},
		"info of IPv6": {AppendInfo(nil, true, 9, v6), 20, func(m Message) bool {
			v, ok := m.Info()
			return ok && v == Info{Index: 9, Dst: v6, Here: v6}
		}},
		"rights": {AppendRights(nil, []int32{3, 1 << 20}), 8,
			func(m Message) bool { return m.FDs() == 2 && m.FD(0) == 3 && m.FD(1) == 1<<20 }},
		"no rights": {AppendRights(nil, nil), 0, func(m Message) bool { return m.FDs() == 0 }},
		"credentials": {AppendCredentials(nil, sys.Ucred{PID: 7, UID: 1, GID: ^uint32(0)}), 12,
			func(m Message) bool {
				v, ok := m.Credentials()
				return ok && v == sys.Ucred{PID: 7, UID: 1, GID: ^uint32(0)}
			}},
		"time": {Append(nil, LevelSocket, TimestampNS, native64(1_700_000_000, 5)), 16,
			func(m Message) bool { v, ok := m.Timestamp(); return ok && v.Equal(time.Unix(1_700_000_000, 5)) }},
		"new time": {Append(nil, LevelSocket, TimestampNSNew, native64(1<<33, 999_999_999)), 16,
			func(m Message) bool { v, ok := m.Timestamp(); return ok && v.Equal(time.Unix(1<<33, 999_999_999)) }},
		"time of 32 bits": {Append(nil, LevelSocket, TimestampNS, native32(1_700_000_000, 5)), 8,
			func(m Message) bool { v, ok := m.Timestamp(); return ok && v.Equal(time.Unix(1_700_000_000, 5)) }},
	} {
		t.Run(name, func(t *testing.T) {
			if len(c.b) != Space(c.size) {
				t.Errorf("%d bytes, Space says %d", len(c.b), Space(c.size))
			}
			m := one(t, c.b)
			if len(m.Data) != c.size || !c.read(m) {
				t.Errorf("message %+v of %x", m, c.b)
			}
			for n := range c.size { // what was cut short is no such message, and no panic
				c.read(Message{m.Level, m.Type, m.Data[:n]})
			}
		})
	}
}

// leading is an int whose first byte in memory is n.
func leading(n byte) uint32 { return binary.NativeEndian.Uint32([]byte{n, 0, 0, 0}) }

func native64(v ...uint64) (b []byte) {
	for _, v := range v {
		b = binary.NativeEndian.AppendUint64(b, v)
	}
	return b
}

func native32(v ...uint32) (b []byte) {
	for _, v := range v {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return b
}

// The source of an IPv4 datagram stands where the kernel looks for it, which is not
// where it says the destination of one that came.
func TestInfo4IsTheSource(t *testing.T) {
	for _, src := range []netip.Addr{v4, netip.AddrFrom16(v4.As16())} {
		m := one(t, AppendInfo(nil, false, 5, src))
		if want := append(native32(5), 192, 0, 2, 1, 0, 0, 0, 0); !bytes.Equal(m.Data, want) {
			t.Errorf("in_pktinfo %x, want %x", m.Data, want)
		}
	}
	if m := one(t, AppendInfo(nil, false, 0, netip.Addr{})); !bytes.Equal(m.Data, make([]byte, Info4Size)) {
		t.Errorf("in_pktinfo of nothing is %x", m.Data)
	}
}

// Messages stand one behind the other, each where a word begins.
func TestMany(t *testing.T) {
	b := AppendSegment(nil, 1)
	b = AppendTOS(b, false, 2)
	b = Append(b, 99, 98, []byte("odd"))
	b = AppendTTL(b, true, 4)
	var types []int32
	for m, rest, ok := Next(b); ok; m, rest, ok = Next(rest) {
		types = append(types, m.Type)
	}
	if want := []int32{Segment, IPTOS, 98, IPv6Limit}; !equal(types, want) {
		t.Errorf("types %v, want %v", types, want)
	}
	if len(b)%word != 0 {
		t.Errorf("%d bytes, which is no number of words", len(b))
	}
}

func equal(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// The last message need not be padded, and one that says too much is none.
func TestOddEnds(t *testing.T) {
	whole := Append(nil, 1, 2, []byte("odd"))
	bare := whole[:HeaderSize+3]
	if m := one(t, bare); string(m.Data) != "odd" {
		t.Errorf("without its padding: %q", m.Data)
	}
	for n := range bare {
		if m, _, ok := Next(bare[:n]); ok {
			t.Errorf("%d of %d bytes gave %+v", n, len(bare), m)
		}
	}
	for _, n := range []int{-1, -HeaderSize, 0, 1, HeaderSize - 1, len(whole) + 1, 1 << 30} {
		b := bytes.Clone(whole)
		putWord(b, n)
		if m, _, ok := Next(b); ok {
			t.Errorf("a length of %d gave %+v", n, m)
		}
	}
}

// What Append writes is zero where nothing was put, whatever was there before.
func TestPaddingIsZero(t *testing.T) {
	mem := bytes.Repeat([]byte{0xff}, 128)
	b := Append(mem[:0], 1, 2, []byte{1})
	if tail := b[HeaderSize+1:]; !bytes.Equal(tail, make([]byte, len(tail))) {
		t.Errorf("padding %x", tail)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		t.Skip("the detector allocates")
	}
	mem, fds := make([]byte, 0, 256), []int32{1, 2}
	if n := alloctest.Least(100, 0.1, func() {
		b := AppendInfo(mem, true, 1, v6)
		b = AppendTOS(b, true, 1)
		b = AppendTTL(b, false, 1)
		b = AppendSegment(b, 1200)
		b = AppendRights(b, fds)
		for m, rest, ok := Next(b); ok; m, rest, ok = Next(rest) {
			m.Info()
			m.TOS()
			m.Timestamp()
		}
	}); n > 0.1 {
		t.Errorf("%v allocations, want none", n)
	}
}

// FuzzNext reads hostile buffers: no panic, progress each time, and nothing but the
// buffer's own bytes.
func FuzzNext(f *testing.F) {
	f.Add([]byte{})
	f.Add(AppendRights(AppendTOS(nil, true, 1), []int32{7, 8, 9}))
	f.Add(bytes.Repeat([]byte{0xff}, 3*HeaderSize))
	f.Add(append(AppendSegment(nil, 5), native64(1<<63, 1<<31)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for {
			m, rest, ok := Next(b)
			if !ok {
				return
			}
			if len(rest) >= len(b) || len(m.Data)+HeaderSize > len(b) {
				t.Fatalf("%d bytes gave a message of %d and left %d", len(b), len(m.Data), len(rest))
			}
			m.Info()
			m.TOS()
			m.TTL()
			m.Timestamp()
			m.Segment()
			m.GRO()
			m.Drops()
			m.Credentials()
			for i := range m.FDs() {
				m.FD(i)
			}
			if again := one(t, Append(nil, m.Level, m.Type, m.Data)); !bytes.Equal(again.Data, m.Data) {
				t.Fatalf("%x became %x", m.Data, again.Data)
			}
			b = rest
		}
	})
}
