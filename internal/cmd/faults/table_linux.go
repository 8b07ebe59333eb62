//go:build linux

package main

import (
	"strings"
	"syscall"
)

// row is what is known about a system call. errnos are the errors of the group inject that its manual page names.
type row struct {
	errnos  string
	runtime bool   // Go's runtime also makes it, and may end the process if it fails
	left    string // in place of errors: why strace can't inject them
}

// Strace does not make a call that it lets fail. The kernel differs for calls that fail and still do their work, and
// for errors that announce what comes later.
const (
	notMade = "the kernel frees the descriptor of a close that fails, and strace would keep it open"
	crashes = "Go's runtime crashes by intention where it fails, and strace can't tell whose call it is"
	nothing = "none of these errors by its manual"
)

// table is by Linux man-pages 6.9, and by POSIX where they defer to it. EAGAIN of a socket is not in it: it means that
// nothing is there, and the kernel then reports when something comes, which in these cases it has already done. EAGAIN
// is in it for calls for which the kernel reports no time to try again.
var table = map[string]row{
	"accept4":           {errnos: "EINTR ENOMEM ENOBUFS"},
	"access":            {errnos: "ENOMEM EIO"},
	"arch_prctl":        {left: nothing},
	"bind":              {errnos: "ENOMEM ENOBUFS"},
	"brk":               {errnos: "ENOMEM", runtime: true},
	"cachestat":         {left: nothing},
	"capget":            {left: nothing},
	"clock_gettime":     {left: nothing},
	"clock_nanosleep":   {errnos: "EINTR", runtime: true},
	"clone":             {errnos: "EAGAIN ENOMEM", runtime: true},
	"clone3":            {errnos: "EAGAIN ENOMEM", runtime: true},
	"close":             {left: notMade},
	"connect":           {errnos: "EAGAIN ENOBUFS"},
	"copy_file_range":   {errnos: "EIO ENOMEM ENOSPC"},
	"dup":               {left: nothing},
	"dup3":              {errnos: "EINTR"},
	"epoll_create1":     {errnos: "ENOMEM", runtime: true},
	"epoll_ctl":         {errnos: "ENOMEM ENOSPC", runtime: true},
	"epoll_pwait":       {errnos: "EINTR"},
	"epoll_pwait2":      {errnos: "EINTR"},
	"eventfd2":          {errnos: "ENOMEM", runtime: true},
	"execve":            {left: "it is the program's start"},
	"exit":              {left: nothing},
	"exit_group":        {left: nothing},
	"fadvise64":         {left: nothing},
	"fallocate":         {errnos: "EINTR EIO ENOSPC"},
	"fcntl":             {left: nothing},
	"fdatasync":         {errnos: "EINTR EIO ENOSPC"},
	"flock":             {errnos: "EINTR"},
	"fstat":             {errnos: "ENOMEM"},
	"fstatfs":           {errnos: "EINTR EIO ENOMEM"},
	"fsync":             {errnos: "EINTR EIO ENOSPC"},
	"ftruncate":         {errnos: "EINTR EIO"},
	"futex":             {left: crashes},
	"getdents64":        {left: nothing},
	"getpeername":       {errnos: "ENOBUFS"},
	"getpid":            {left: nothing},
	"getrandom":         {errnos: "EINTR EAGAIN", runtime: true},
	"getrlimit":         {left: nothing},
	"getrusage":         {left: nothing},
	"getsockname":       {errnos: "ENOBUFS"},
	"getsockopt":        {errnos: "ENOBUFS"},
	"gettid":            {left: nothing},
	"getuid":            {left: nothing},
	"io_cancel":         {errnos: "EAGAIN"},
	"io_destroy":        {left: nothing},
	"io_getevents":      {errnos: "EINTR"},
	"io_setup":          {errnos: "EAGAIN ENOMEM"},
	"io_submit":         {errnos: "EAGAIN"},
	"io_uring_enter":    {errnos: "EAGAIN EBUSY EINTR"},
	"io_uring_register": {errnos: "ENOMEM EBUSY"},
	"io_uring_setup":    {errnos: "ENOMEM"},
	"listen":            {left: nothing},
	"lseek":             {left: nothing},
	"madvise":           {errnos: "EAGAIN EIO ENOMEM", runtime: true},
	"membarrier":        {left: nothing},
	"mincore":           {errnos: "EAGAIN ENOMEM"},
	"mkdirat":           {errnos: "EIO ENOMEM ENOSPC"},
	"mmap":              {errnos: "EAGAIN ENOMEM", runtime: true},
	"mprotect":          {errnos: "ENOMEM", runtime: true},
	"munmap":            {left: crashes},
	"nanosleep":         {errnos: "EINTR", runtime: true},
	"newfstatat":        {errnos: "ENOMEM"},
	"openat":            {errnos: "EINTR ENOMEM", runtime: true},
	"openat2":           {errnos: "EAGAIN EINTR ENOMEM"},
	"pidfd_open":        {errnos: "ENOMEM"},
	"pidfd_send_signal": {left: nothing},
	"pipe2":             {left: nothing},
	"poll":              {errnos: "EINTR ENOMEM"},
	"ppoll":             {errnos: "EINTR ENOMEM"},
	"prctl":             {left: nothing},
	"pread64":           {errnos: "EINTR EIO"},
	"preadv2":           {errnos: "EAGAIN EINTR EIO"},
	"prlimit64":         {left: nothing},
	"process_vm_readv":  {errnos: "ENOMEM"},
	"pselect6":          {errnos: "EINTR ENOMEM"},
	"pwrite64":          {errnos: "EINTR EIO ENOSPC"},
	"pwritev2":          {errnos: "EAGAIN EINTR EIO ENOSPC"},
	"read":              {errnos: "EINTR EIO", runtime: true},
	"readlinkat":        {errnos: "EIO ENOMEM"},
	"readv":             {errnos: "EINTR EIO"},
	"recvfrom":          {errnos: "EINTR ENOMEM"},
	"recvmsg":           {errnos: "EINTR ENOMEM"},
	"renameat":          {errnos: "EIO ENOMEM ENOSPC"},
	"renameat2":         {errnos: "EIO ENOMEM ENOSPC"},
	"restart_syscall":   {errnos: "EINTR", runtime: true},
	"rseq":              {left: nothing},
	"rt_sigaction":      {left: nothing},
	"rt_sigprocmask":    {left: nothing},
	"rt_sigreturn":      {left: nothing},
	"sched_getaffinity": {left: nothing},
	"sched_yield":       {left: nothing},
	"sendfile":          {errnos: "EIO ENOMEM"},
	"sendmsg":           {errnos: "EINTR ENOBUFS ENOMEM"},
	"sendto":            {errnos: "EINTR ENOBUFS ENOMEM"},
	"set_robust_list":   {left: nothing},
	"set_tid_address":   {left: nothing},
	"setsockopt":        {errnos: "ENOBUFS ENOMEM"},
	"shutdown":          {errnos: "ENOBUFS"},
	"sigaltstack":       {left: nothing},
	"socket":            {errnos: "ENOBUFS ENOMEM"},
	"socketpair":        {left: nothing},
	"splice":            {errnos: "ENOMEM"},
	"syscall_0x1c3":     {left: nothing}, // cachestat, as older straces call it
	"statfs":            {errnos: "EINTR EIO ENOMEM"},
	"statx":             {errnos: "ENOMEM"},
	"tgkill":            {left: nothing},
	"uname":             {left: nothing},
	"unlinkat":          {errnos: "EIO ENOMEM"},
	"waitid":            {errnos: "EINTR"},
	"write":             {errnos: "EINTR EIO ENOSPC", runtime: true},
	"writev":            {errnos: "EINTR EIO ENOSPC"},
}

func (r row) all() []string { return strings.Fields(r.errnos) }

// words returns an errno in the words of programs.
func words(errno string) string {
	return map[string]syscall.Errno{"EINTR": syscall.EINTR, "EAGAIN": syscall.EAGAIN, "ENOMEM": syscall.ENOMEM,
		"ENOBUFS": syscall.ENOBUFS, "ENOSPC": syscall.ENOSPC, "EIO": syscall.EIO, "EBUSY": syscall.EBUSY}[errno].Error()
}
