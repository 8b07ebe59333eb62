package driver

import (
	"ringo/internal/offload"
	"ringo/internal/op"
)

// Job is an op in the offload.
type Job struct {
	offload.Request
	Op     *op.Op
	Direct bool         // the kernel has it, and not a worker
	Run    func() int32 // makes the op's call; bound once
	next   *Job         // the next spare one
}

// Jobs are a driver's ops in the offload. Meanwhile an op's Res is the index of its job, so that a cancel finds it
// among the thousands that may wait for a disk.
type Jobs struct {
	Block func(o *op.Op) int32 // makes an op's call, for as long as that takes
	busy  []*Job
	spare *Job
}

// Len returns the number of ops in the offload.
func (s *Jobs) Len() int { return len(s.busy) }

// Some returns an op that is in the offload.
func (s *Jobs) Some() *op.Op { return s.busy[0].Op }

// Of returns the job of an op that is in the offload.
func (s *Jobs) Of(o *op.Op) *Job { return s.busy[o.Res] }

// Add makes a job for the op.
func (s *Jobs) Add(o *op.Op) *Job {
	j := s.spare
	if j == nil {
		j = new(Job)
		j.User = j
		j.Run = func() int32 { return s.Block(j.Op) }
	} else {
		s.spare = j.next
	}
	j.Op, o.Res = o, int32(len(s.busy))
	s.busy = append(s.busy, j)
	return j
}

// Remove takes a job out that neither a worker nor the kernel has any more, and returns its op. The last job moves to
// its place.
func (s *Jobs) Remove(j *Job) *op.Op {
	o, last := j.Op, len(s.busy)-1
	moved := s.busy[last]
	s.busy[o.Res], moved.Op.Res = moved, o.Res
	s.busy[last] = nil
	s.busy = s.busy[:last]
	j.Op, j.Buf, j.Vec = nil, nil, nil
	j.next, s.spare = s.spare, j
	return o
}
