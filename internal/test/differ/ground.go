package differ

import "os"

// A Ground is what a plan finds where it runs: a folder of its own with the folders tree and tree/d, and an address of
// TCP where nobody listens.
type Ground struct{ Dir, Nobody string }

// system is the ground of those whose kernel is the system's.
func system(p *Plan) (g Ground, clear func(), err error) {
	dir, err := os.MkdirTemp(p.folder(), "d")
	if err != nil {
		return g, nil, err
	}
	clear = func() { os.RemoveAll(dir) }
	if err := os.MkdirAll(dir+folders, 0o700); err != nil {
		clear()
		return g, nil, err
	}
	return Ground{dir, nobodyListens()}, clear, nil
}

const folders = "/tree/d"

// inMemory is a file system in memory.
const inMemory = "/dev/shm"

// folder is where a plan has its files: on a disk if it says so, and else in memory, where a Sync costs nothing.
func (p *Plan) folder() string {
	if info, err := os.Stat(inMemory); err != nil || !info.IsDir() || p.disk {
		return os.TempDir()
	}
	return inMemory
}
