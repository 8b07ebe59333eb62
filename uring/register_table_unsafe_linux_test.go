//go:build linux

package uring

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"ringo/internal/abi"
	"ringo/internal/sys"
)

// A registerTest shows what one register call does. played says that a kernel of the test's own has to: no machine that
// this module is tested on has what the call needs.
type registerTest struct {
	op     RegisterOp
	method string // of Ring, or "Type.Method", or a function of the package
	since  string
	run    func(t *testing.T)
	played string
}

var registerTests = []registerTest{
	{RegBuffers, "RegisterBuffers", "5.1", TestRegisterBuffers, ""},
	{RegUnregisterBuffers, "UnregisterBuffers", "5.1", TestRegisterBuffers, ""},
	{RegFiles, "RegisterFiles", "5.1", TestRegisterFiles, ""},
	{RegUnregisterFiles, "UnregisterFiles", "5.1", TestRegisterFiles, ""},
	{RegEventfd, "RegisterEventfd", "5.2", TestRegisterEventfd, ""},
	{RegUnregisterEventfd, "UnregisterEventfd", "5.2", TestRegisterEventfd, ""},
	{RegFilesUpdate, "UpdateFiles", "5.5", TestRegisterFiles, ""},
	{RegEventfdAsync, "RegisterEventfdAsync", "5.6", testEventfdAsync, ""},
	{RegProbe, "ProbeOps", "5.6", TestProbeOps, ""},
	{RegPersonality, "RegisterPersonality", "5.6", testPersonality, ""},
	{RegUnregPersonality, "UnregisterPersonality", "5.6", testPersonality, ""},
	{RegRestrictions, "RegisterRestrictions", "5.10", testRestrictions, ""},
	{RegEnableRings, "Enable", "5.10", testEnable, ""},
	{RegFiles2, "RegisterFilesTagged", "5.13", testFilesTagged, ""},
	{RegFiles2, "RegisterFilesSparse", "5.19", testFilesSparse, ""},
	{RegFilesUpdate2, "UpdateFilesTagged", "5.13", testFilesTagged, ""},
	{RegBuffers2, "RegisterBuffersTagged", "5.13", testBuffersTagged, ""},
	{RegBuffers2, "RegisterBuffersSparse", "5.19", testBuffersSparse, ""},
	{RegBuffersUpdate, "UpdateBuffers", "5.13", testBuffersTagged, ""},
	{RegIOWQAff, "RegisterIOWQAffinity", "5.14", testIOWQAffinity, ""},
	{RegUnregisterIOWQAff, "UnregisterIOWQAffinity", "5.14", testIOWQAffinity, ""},
	{RegIOWQMaxWorkers, "IOWQMaxWorkers", "5.15", TestIOWQMaxWorkers, ""},
	{RegRingFDs, "RegisterRingFD", "5.18", testRingFD, ""},
	{RegUnregisterRingFDs, "UnregisterRingFD", "5.18", testRingFD, ""},
	{RegPbufRing, "RegisterBufRing", "5.19", TestBufRingAddCommit, ""},
	{RegPbufRing, "BufRing", "5.19", TestBufRingOfSize, ""},
	{RegPbufRing, "OpenBufRing", "5.19", testBufRingKinds, ""},
	{RegUnregisterPbufRing, "BufRing.Close", "5.19", TestBufRingRefuses, ""},
	{RegSyncCancel, "SyncCancel", "6.0", testSyncCancel, ""},
	{RegSyncCancel, "CancelAll", "6.0", TestCancelAll, ""},
	{RegFileAllocRange, "RegisterFileAllocRange", "6.0", testFileAllocRange, ""},
	{RegPbufStatus, "BufRing.Status", "6.8", testBufRingStatus, ""},
	{RegPbufStatus, "BufRing.Available", "6.8", testBufRingStatus, ""},
	{RegNAPI, "RegisterNAPI", "6.9", testNAPI, ""},
	{RegNAPI, "AddNAPI", "6.13", testNAPIIDs, ""},
	{RegNAPI, "DropNAPI", "6.13", testNAPIIDs, ""},
	{RegUnregisterNAPI, "UnregisterNAPI", "6.9", testNAPI, ""},
	{RegClock, "RegisterClock", "6.12", testClock, ""},
	{RegCloneBuffers, "CloneBuffers", "6.12", testCloneBuffers, ""},
	{RegSendMsgRing, "SendMsgRing", "6.13", testSendMsgRing, ""},
	{RegSendMsgRing, "SendMsgRingFlags", "6.13", testSendMsgRing, ""},
	{RegZCRXIfq, "RegisterZCRX", "6.15", testZCRX, "no network card splits headers from data"},
	{RegResizeRings, "Resize", "6.13", testResize, ""},
	{RegResizeRings, "ResizeMemory", "6.13", testResizeMemory, ""},
	{RegMemRegion, "RegisterRegion", "6.13", testRegion, ""},
	{RegQuery, "Query", "6.18", testQuery, ""},
	{RegQuery, "QueryZCRX", "6.19", testQueryOthers, ""},
	{RegQuery, "QueryRings", "6.19", testQueryOthers, ""},
	{RegZCRXCtrl, "ZCRX.Flush", "6.19", testZCRXNoCard, ""},
	{RegZCRXCtrl, "ZCRX.Export", "6.19", testZCRXNoCard, ""},
	{RegBPFFilter, "RegisterFilter", "7.0", testFilter, ""},
	{RegBPFFilter, "RegisterTaskFilter", "7.0", testFilter, ""},
	{RegRestrictions, "RegisterTaskRestrictions", "7.0", testTaskRestrictions, ""},
	{RegQuery, "Register", "5.1", testRegisterGeneric, ""},
}

// TestRegister makes each register call against the kernel and looks at its effect.
func TestRegister(t *testing.T) {
	done := map[uintptr]bool{} // tests that stand in several rows
	for _, row := range registerTests {
		code := reflect.ValueOf(row.run).Pointer()
		if done[code] {
			continue
		}
		done[code] = true
		t.Run(row.op.String()+"/"+row.method, func(t *testing.T) {
			need(t)
			row.run(t)
			if row.played != "" {
				t.Logf("played, not run: %s", row.played)
			}
		})
	}
}

// TestRegisterTestsAreComplete: each opcode has a row, and so has each method that makes a register call.
func TestRegisterTestsAreComplete(t *testing.T) {
	ops, methods := map[RegisterOp]bool{}, map[string]bool{}
	for _, row := range registerTests {
		ops[row.op], methods[row.method] = true, true
	}
	for op := range registerOps {
		if !ops[op] {
			t.Errorf("%v has no test", op)
		}
	}
	kinds := map[string]reflect.Type{"": reflect.TypeFor[*Ring](), "ZCRX.": reflect.TypeFor[*ZCRX]()}
	name := regexp.MustCompile(`^(Register|Unregister|Update|Clone|Resize|Enable|Sync|IOWQ|AddN|DropN|Flush$|Export$)`)
	for prefix, typ := range kinds {
		for i := range typ.NumMethod() {
			if m := typ.Method(i).Name; prefix+m != "Flush" && name.MatchString(m) && !methods[prefix+m] {
				t.Errorf("%s%s has no test", prefix, m)
			}
		}
	}
}

// TestRegisterDocs: what each call does is said with who may call it, since when there is one, and where to read on.
func TestRegisterDocs(t *testing.T) {
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string]string{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				docs[receiver(f)+f.Name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
			}
		}
	}
	if len(docs) == 0 {
		t.Skip("the source is not here")
	}
	for _, row := range registerTests {
		doc, ok := docs[row.method]
		if !ok {
			t.Errorf("%s: no such function", row.method)
			continue
		}
		for what, pattern := range map[string]string{
			"who may call it": `may call it`, "its release": `Linux \d\.\d`,
			"a manual page": `See io_uring_\w+\([23]\)`,
		} {
			if !regexp.MustCompile(pattern).MatchString(doc) {
				t.Errorf("%s: its comment does not say %s: %s", row.method, what, doc)
			}
		}
	}
}

// receiver is how a row names the receiver's type: not at all if it is a Ring.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
		if id, ok := star.X.(*ast.Ident); ok && id.Name != "Ring" {
			return id.Name + "."
		}
	}
	return ""
}

// asSince skips the test if an error says that the kernel lacks what it has since a release. That a newer one lacks it
// is a failure, and so is any other error.
func asSince(t *testing.T, err error, since string) {
	t.Helper()
	switch {
	case err == nil:
	case newerThan(since):
		t.Fatalf("the kernel should have it since %s: %v", since, err)
	case errors.Is(err, syscall.EINVAL), errors.Is(err, errors.ErrUnsupported):
		t.Skipf("needs Linux %s: %v", since, err)
	default:
		t.Fatal(err)
	}
}

// openWith opens a ring with what a kernel may lack.
func openWith(t *testing.T, entries int, cfg Config, since string) *Ring {
	t.Helper()
	need(t)
	lockThread(t)
	r, err := Open(entries, &cfg)
	asSince(t, err, since)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return r
}

// A call is a register call that the program made.
type call struct {
	fd  int
	op  RegisterOp
	arg []byte
	n   uint32
}

// recorder is a kernel that notes register calls and answers as it is told.
type recorder struct {
	fakeKernel
	size   map[RegisterOp]uintptr // of arguments
	answer func(c call, arg unsafe.Pointer) (int, syscall.Errno)
	calls  []call
}

func (k *recorder) Register(fd int, op uint32, arg unsafe.Pointer, n uint32) (int, syscall.Errno) {
	c := call{fd, RegisterOp(op), nil, n}
	if size := k.size[c.op]; arg != nil && size > 0 {
		c.arg = append(c.arg, unsafe.Slice((*byte)(arg), size)...)
	}
	k.calls = append(k.calls, c)
	return k.answer(c, arg)
}

var _ sys.Uring = (*recorder)(nil)

// sizeOf are sizes of arguments for a recorder.
var sizeOf = map[RegisterOp]uintptr{
	RegNAPI: unsafe.Sizeof(abi.Io_uring_napi{}), RegBPFFilter: unsafe.Sizeof(abi.Io_uring_bpf{}),
	RegZCRXIfq: unsafe.Sizeof(abi.Io_uring_zcrx_ifq_reg{}), RegZCRXCtrl: unsafe.Sizeof(abi.Io_uring_zcrx_ctrl{}),
	RegSendMsgRing: 64, RegQuery: unsafe.Sizeof(abi.Io_uring_query_hdr{}), RegRestrictions: 48,
	RegMemRegion: unsafe.Sizeof(abi.Io_uring_mem_region_reg{}), RegCloneBuffers: 32, RegSyncCancel: 64, RegPbufRing: 40,
}
