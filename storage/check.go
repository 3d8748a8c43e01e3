package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// Report is what a check found.
type Report struct {
	// Rows counts rows by the first two parts of their keys.
	Rows map[string]int
	// Problems are sentences, at most mostProblems; More counts those left out.
	Problems []string
	More     int
}

const mostProblems = 50

func (r *Report) add(format string, args ...any) {
	if len(r.Problems) >= mostProblems {
		r.More++
		return
	}
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Check decodes every row of a store, holds rows and indexes against each other,
// and follows the chain of the audit trail. Nothing is written. The error is of
// reading the store.
func Check(ctx context.Context, kv KV) (*Report, error) {
	c := checker{ctx: ctx, kv: kv, Report: &Report{Rows: map[string]int{}}}
	err := scan(ctx, kv, "", func(e Entry) (bool, error) {
		parts := strings.SplitN(e.Key, "/", 3)
		kind := strings.Join(parts[:min(2, len(parts))], "/")
		c.Rows[kind]++
		if test := c.tests()[kind]; test != nil {
			return true, test(e, e.Key[min(len(e.Key), len(kind)+1):])
		}
		return true, nil
	})
	if err != nil {
		return c.Report, err
	}
	says, err := NewTrail(kv, time.Now).broken(ctx)
	if err != nil {
		c.add("the audit trail cannot be read: %v", err)
	} else if says != "" {
		c.add("%s", says)
	}
	return c.Report, nil
}

type checker struct {
	ctx context.Context
	kv  KV
	*Report
}

// tests are what is tried of each kind of row; rest is its key behind the kind.
func (c checker) tests() map[string]func(e Entry, rest string) error {
	return map[string]func(Entry, string) error{
		"history/row":     c.record,
		"history/all":     c.leads,
		"history/once":    c.leads,
		"job/row":         c.job,
		"job/key":         c.toJob,
		"job/all":         c.toJob,
		"job/open":        c.toOpen,
		"journal/pending": func(e Entry, _ string) error { c.decodes(e, new(envelope)); return nil },
		"outbox/row":      func(e Entry, _ string) error { c.decodes(e, new(wrapped)); return nil },
		"outbox/open":     func(e Entry, rest string) error { return c.wants(e, outboxRow+rest) },
		"audit/row":       func(e Entry, _ string) error { c.decodes(e, new(job.Entry)); return nil },
		"audit/once":      c.leads,
		"line/row":        func(e Entry, _ string) error { c.decodes(e, new(line)); return nil },
		"hold/row":        func(e Entry, _ string) error { c.decodes(e, new(deploy.Hold)); return nil },
		"approval/row":    func(e Entry, _ string) error { c.decodes(e, new(deploy.Approval)); return nil },
	}
}

func (c checker) decodes(e Entry, into any) bool {
	if err := json.Unmarshal(e.Value, into); err != nil {
		c.add("%s cannot be decoded: %v", e.Key, err)
		return false
	}
	return true
}

// wants reports a row without which another one means nothing.
func (c checker) wants(e Entry, key string) error {
	_, ok, err := c.kv.Get(c.ctx, key)
	if err == nil && !ok {
		c.add("%s has no %s", e.Key, key)
	}
	return err
}

// leads is for rows that hold the key of another.
func (c checker) leads(e Entry, _ string) error { return c.wants(e, string(e.Value)) }

func (c checker) record(e Entry, rest string) error {
	var r deploy.Record
	if !c.decodes(e, &r) {
		return nil
	}
	at := fmt.Sprintf("%016x", r.ID)
	if rest != r.Target.String()+"/"+at {
		c.add("%s holds the record of %s", e.Key, r.Target)
		return nil
	}
	return c.wants(e, historyAll+at+"/"+r.Target.String())
}

func (c checker) job(e Entry, rest string) error {
	var j job.Job
	if !c.decodes(e, &j) {
		return nil
	}
	if string(j.ID) != rest {
		c.add("%s holds job %s", e.Key, j.ID)
		return nil
	}
	at := stamp(j.Created) + "/" + string(j.ID)
	for _, key := range []string{jobKey + j.Key, jobAll + at} {
		if err := c.wants(e, key); err != nil {
			return err
		}
	}
	if j.Ended() {
		return nil
	}
	return c.wants(e, jobOpen+at)
}

func (c checker) toJob(e Entry, _ string) error { return c.wants(e, jobRow+string(e.Value)) }

// toOpen is for the index of unfinished jobs: one that ended does not stand there.
func (c checker) toOpen(e Entry, _ string) error {
	row, ok, err := c.kv.Get(c.ctx, jobRow+string(e.Value))
	if err != nil || !ok {
		return c.toJob(e, "")
	}
	var j job.Job
	if json.Unmarshal(row.Value, &j) == nil && j.Ended() {
		c.add("%s lists a job that has ended", e.Key)
	}
	return nil
}
