package stats

// Info describes a loop's driver. See ringo.Loop.Info.
type Info struct {
	Run      int      // the number of the loop's Run, from 1; Loop.Index tells its loops apart
	Name     string   // as in Config.Driver
	Reason   string   // why it was chosen: what asked for it, or what the better one lacks
	Features []string // the kernel features that it uses
	Entries  int      // size of the submission queue, 0 if there is none
	Ways     []Way    // how each operation is run, where there is a choice
	Plan     string   // why the Run has that many loops: "1 loop: the quota of the cgroups is 0.5 CPUs"
	CPUs     []int    // the CPUs that its thread is bound to, see ringo.Config.Place; nil if it is not bound
	Lends    bool     // received bytes arrive in buffers that the kernel picks, so that Next copies nothing
}

// A Way is how a driver runs the operations of one kind.
type Way struct {
	Op    string // "accept", "accept, multishot"
	Way   string // "multishot entry"
	Lacks string // what the best way needs and the kernel lacks; empty if this is the best
}
