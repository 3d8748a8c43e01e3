package guard

// Aim is which clusters a line means.
type Aim struct {
	// Targets are those that are named; Everywhere is true for `on *`.
	Targets    []string
	Everywhere bool
}

// TakeAim takes the clusters from the end of a line, for executors whose lines end
// as kubectl's do.
func TakeAim(words []Word) (rest []Word, a Aim, err error) {
	var c Command
	rest, err = c.targets(words)
	return rest, Aim{Targets: c.Targets, Everywhere: c.Everywhere}, err
}

// Choose returns those of the clusters that are meant, in their order. With named,
// `on *` is refused.
func (a Aim) Choose(clusters []string, named bool) ([]string, error) {
	c := Command{Verb: &Verb{Changes: named}, Targets: a.Targets, Everywhere: a.Everywhere}
	return c.choose(clusters)
}

// ReadFlags splits what follows a verb into what is named and what is set, by the
// verb's own flags. It reads them as pflag does, but for a flag twice, a value
// apart from its flag that begins with a dash, and `--`, which it refuses.
func ReadFlags(v *Verb, words []Word) (args []Word, set []Setting, err error) {
	return readFlags(v, words)
}

// Switched is a flag that is true or false, Valued one whose values fit a pattern;
// short is "" for none.
func Switched(long, short string) Flag { return switched(long, short) }

// Valued is a flag whose values fit a pattern, the whole of them.
func Valued(long, short, pattern string) Flag { return valued(long, short, pattern) }

// Get returns the value of a flag.
func Get(set []Setting, flag string) (value string, ok bool) { return get(set, flag) }

// Fits says whether a text is a value of a pattern, the whole of it.
func Fits(pattern, text string) bool { return fits(pattern, text) }

// And joins names for people.
func And(list []string) string { return and(list) }
