package differ

import "os"

// A Ground is what a plan finds where it runs: a folder of its own that has the folders tree and tree/d, and a TCP
// address on which nothing listens.
type Ground struct{ Dir, Nobody string }

// system makes the ground of machines on the system's kernel.
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

// inMemory is a directory of a file system in memory.
const inMemory = "/dev/shm"

// folder returns where a plan has its files: on a disk if the plan says so, else in memory, where a Sync costs nothing.
func (p *Plan) folder() string {
	if info, err := os.Stat(inMemory); err != nil || !info.IsDir() || p.disk {
		return os.TempDir()
	}
	return inMemory
}
