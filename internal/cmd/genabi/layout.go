package main

import "fmt"

// layout sets the offset of every member and the size and alignment of the record, by the natural alignment of the
// kernel's 64-bit ABI. A hole is an error: Go on 32-bit machines might not have the same one.
func (r *record) layout() error {
	r.align = 1
	end := 0
	for i := range r.members {
		m := &r.members[i]
		size, align, err := m.measure()
		if err != nil {
			return err
		}
		start := end
		if r.union {
			start = 0
		}
		if start%align != 0 {
			return fmt.Errorf("struct %s: hole before %s at %d", r.name, m.name, start)
		}
		m.offset = start
		end = max(end, start+size)
		r.align = max(r.align, align)
	}
	if end%r.align != 0 {
		return fmt.Errorf("struct %s: hole at the end, %d bytes of alignment %d", r.name, end, r.align)
	}
	r.size = end
	return nil
}

func (m *member) measure() (size, align int, err error) {
	size, align = scalarSize[m.scalar], scalarSize[m.scalar]
	if m.rec != nil {
		if m.rec.name == "" {
			if err := m.rec.layout(); err != nil {
				return 0, 0, err
			}
		}
		size, align = m.rec.size, m.rec.align
	}
	if m.count >= 0 {
		size *= m.count
	}
	return size, align, nil
}

// A place is a named member with its offset from the start of the outermost struct.
type place struct {
	name   string
	offset int
}

// places returns every named member, including those inside anonymous structs and unions.
func (r *record) places(base int) []place {
	var list []place
	for _, m := range r.members {
		if m.name == "" {
			list = append(list, m.rec.places(base+m.offset)...)
		} else {
			list = append(list, place{m.name, base + m.offset})
		}
	}
	return list
}
