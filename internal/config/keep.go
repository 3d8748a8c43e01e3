package config

import "time"

// Keep says how much of what ferry remembers is kept.
type Keep struct {
	History Limit `yaml:"history" doc:"What became of versions: history and who. The newest record of an app on a cluster, and the versions seen healthy there last, stay whatever is said here."`
	Jobs    Limit `yaml:"jobs" doc:"Jobs that are over: status. Those of the last two days stay."`
	Audit   Limit `yaml:"audit" doc:"The audit trail."`
}

// Limit bounds a kind by age and by number; both hold.
type Limit struct {
	Age   time.Duration `yaml:"age" doc:"What is older is forgotten."`
	Count int64         `yaml:"count" doc:"How many are kept at most, the newest."`
}

const day = 24 * time.Hour

func defaultKeep() Keep {
	return Keep{
		History: Limit{Age: 1095 * day, Count: 100_000},
		Jobs:    Limit{Age: 90 * day, Count: 20_000},
		Audit:   Limit{Age: 1095 * day, Count: 300_000},
	}
}
