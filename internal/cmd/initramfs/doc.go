// Initramfs writes the archive that a Linux kernel takes as its first file system.
//
//	initramfs -o FILE NAME=PATH... NAME/...
//
// puts the content of the file PATH at /NAME, with the mode that PATH has, and makes an empty directory of a NAME that
// ends in a slash. Directories that a name needs are made as well. /dev/console is always there: the kernel opens it
// for its first process before that process could make it.
//
// The format is "newc", the one that kernels unpack; see Documentation/driver-api/early-userspace/buffer-format.rst in
// the kernel's source. Nothing is compressed: a file is read once, by an emulated CPU to which a copy is cheap and
// unpacking is not.
package main
