package differ

import "os"

// A handle is an open file.
type handle struct {
	id      int
	life    res
	appends bool
}

// A pipe has one direction.
type pipe struct {
	reader, writer int
	life           res
	d              direction
}

var fileNames = []string{"a", "b", "c", "d", "d/x", "d/y", "d/e", "l", "l/x", "nowhere/x", "d/../a", "d/e/z"}

// nameOf returns a file's name, most often one of the first six, which mostly exist.
func nameOf(b byte) string {
	if b < 160 {
		return fileNames[int(b)%6]
	}
	return fileNames[int(b)%len(fileNames)]
}

var openFlags = []int{os.O_RDWR | os.O_CREATE, os.O_RDWR | os.O_CREATE, os.O_RDONLY, os.O_WRONLY | os.O_CREATE,
	os.O_RDWR | os.O_CREATE | os.O_APPEND, os.O_RDWR | os.O_CREATE | os.O_TRUNC, os.O_RDWR | os.O_CREATE | os.O_EXCL,
	os.O_RDWR | os.O_CREATE}

func planOpen(g *planner, r record) {
	if len(g.files) >= 6 {
		planFile(g, r)
		return
	}
	f := &handle{id: g.object()}
	g.files = append(g.files, f)
	flags := openFlags[int(r.y)%len(openFlags)]
	f.appends = flags&os.O_APPEND != 0
	g.do(g.actor(r.actor), open, Step{O: f.id, Name: nameOf(r.x), How: flags}, own(&f.life, &g.names)...)
}

// planFile is a call on an open file. Calls that only read may overlap, unless they move the position.
func planFile(g *planner, r record) {
	f := pick(g.files, r.object, nil)
	if f == nil {
		planOpen(g, r)
		return
	}
	how := int(r.y) % len(fileCalls)
	if f.appends && fileCalls[how].name == "Writer" { // package file's Writer supports appending, and bufio does not
		how = 0
	}
	call := fileCalls[how]
	uses := own(&f.life, &g.names)
	if call.reads {
		uses = []use{share(&f.life), share(&g.names)}
	}
	g.do(g.actor(r.actor), fileVerb, Step{O: f.id, How: how, Name: call.name, N: size(r.x), M: int(r.x^r.y) * 17},
		uses...)
}

func planName(g *planner, r record) {
	how := int(r.y) % len(nameCalls)
	call := nameCalls[how]
	uses := own(&g.names)
	if call.reads {
		uses = []use{share(&g.names)}
	}
	g.do(g.actor(r.actor), nameVerb,
		Step{How: how, Name: call.name, N: int(r.x), M: int(r.object)}, uses...)
}

func planCloseFile(g *planner, r record) {
	f := pick(g.files, r.object, nil)
	if f == nil {
		return
	}
	g.do(g.actor(r.actor), closeFile, Step{O: f.id}, own(&f.life, &g.names)...)
	g.files = without(g.files, f)
	if r.x&1 == 0 {
		g.do(g.actor(r.x), useFile, Step{O: f.id}, own(&f.life)...)
	}
}

func planPipe(g *planner, r record) {
	if len(g.pipes) >= 3 {
		planPipeData(g, r)
		return
	}
	p := &pipe{reader: g.object(), writer: g.object(), d: direction{id: g.stream()}}
	g.pipes = append(g.pipes, p)
	g.do(g.actor(r.actor), makePipe, Step{O: p.reader, P: p.writer}, own(&p.life)...)
}

func planPipeData(g *planner, r record) {
	p := pick(g.pipes, r.object, nil)
	if p == nil {
		planPipe(g, r)
		return
	}
	if n := min(size(r.x), p.d.room()); r.y&1 == 0 && n > 0 {
		seg := segment{p.d.id, p.d.at, n}
		p.d.at += n
		p.d.flying = append(p.d.flying, seg)
		g.do(g.actor(r.actor), writePipe, Step{O: p.writer, Segs: []segment{seg}},
			append(own(&p.d.w), share(&p.life))...)
		return
	}
	if n := total(p.d.flying); n > 0 {
		n = 1 + int(r.x)*(n-1)/255
		g.do(g.actor(r.actor), readPipe, Step{O: p.reader, Segs: p.d.take(n)}, append(own(&p.d.r), share(&p.life))...)
		return
	}
	a := g.actor(r.actor)
	end := int(r.x) % endings
	if end == endClose {
		end = endDeadline
	}
	g.wait(a, g.other(a, r.y), waitOnPipe, p.reader, 0, end, own(&p.d.r, &p.d.w), []use{share(&p.life)},
		own(&p.d.event), nil, func(b int) {
			g.do(b, setDeadline, Step{O: p.reader, How: noReadDeadline},
				append(own(&p.d.event, &p.d.r), share(&p.life))...)
		})
}

func planPipeEnd(g *planner, r record) {
	if p := pick(g.pipes, r.object, nil); p != nil {
		g.endPipe(g.actor(r.actor), g.actor(r.x), p)
	}
}

// endPipe closes the writer's end; the reader reads up to the end and closes its own.
func (g *planner) endPipe(a, b int, p *pipe) {
	g.do(a, closeFile, Step{O: p.writer}, append(own(&p.d.w), share(&p.life))...)
	g.do(b, readPipeEnd, Step{O: p.reader, Segs: p.d.take(total(p.d.flying))}, append(own(&p.d.r), share(&p.life))...)
	g.do(b, closeFile, Step{O: p.reader}, own(&p.d.r, &p.d.event, &p.life)...)
	g.pipes = without(g.pipes, p)
}
