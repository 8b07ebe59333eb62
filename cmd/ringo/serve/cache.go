package serve

import (
	"sync"
	"time"
)

// cache keeps files open between requests: up to max, of which the one that was used least
// recently goes. It is a loop's own.
type cache struct {
	max    int
	fresh  time.Duration // for so long a name is believed to lead where it did
	byPath map[string]*servedFile
	ends   servedFile // newer is the one used last, older the one that goes next
	side   *sync.WaitGroup
}

func newCache(max int, fresh time.Duration, side *sync.WaitGroup) *cache {
	k := &cache{max: max, fresh: fresh, byPath: make(map[string]*servedFile), side: side}
	k.ends.newer, k.ends.older = &k.ends, &k.ends
	return k
}

// The list runs in a ring through ends: ends.newer is the oldest, ends.older the newest.

func (o *servedFile) unlink() { o.newer.older, o.older.newer = o.older, o.newer }

func (k *cache) link(o *servedFile) {
	o.older, o.newer = k.ends.older, &k.ends
	o.older.newer, k.ends.older = o, o
}

// use notes a use of a file; done ends it.
func (k *cache) use(o *servedFile) {
	o.users++
	if o.cached && k.ends.older != o {
		o.unlink()
		k.link(o)
	}
}

func (k *cache) done(o *servedFile) {
	if o.users--; o.users == 0 && !o.cached {
		k.close(o)
	}
}

// add takes a file in, in place of one with its path, and lets another go if there are too
// many.
func (k *cache) add(o *servedFile, now int64) {
	if k.max == 0 {
		return
	}
	if old := k.byPath[o.path]; old != nil {
		k.drop(old)
	}
	o.cached, o.checked = true, now
	k.byPath[o.path] = o
	k.link(o)
	for len(k.byPath) > k.max {
		k.drop(k.ends.newer)
	}
}

// drop lets a file go, which is closed when its last user has done.
func (k *cache) drop(o *servedFile) {
	if !o.cached {
		return
	}
	o.cached = false
	delete(k.byPath, o.path)
	o.unlink()
	if o.users == 0 {
		k.close(o)
	}
}

// giveBack takes half of the files out that nobody uses, one at least, those used least recently. The caller closes
// them.
func (k *cache) giveBack() (files []*servedFile) {
	for o := k.ends.newer; o != &k.ends; o = o.newer {
		if o.users == 0 {
			files = append(files, o)
		}
	}
	files = files[:(len(files)+1)/2]
	for _, o := range files {
		o.users++ // or drop would close it on the side
		k.drop(o)
	}
	return files
}

// clear lets all files go.
func (k *cache) clear() {
	for k.ends.newer != &k.ends {
		k.drop(k.ends.newer)
	}
}

// close closes a file on a goroutine: the last close of one that was removed frees its blocks.
func (k *cache) close(o *servedFile) {
	k.side.Go(func() { o.file.Close() })
}
