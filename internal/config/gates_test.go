package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"ferry/internal/deploy"
)

func TestGates(t *testing.T) {
	c, err := Load(write(t, small+`
roles:
- {name: oncall, users: [S012AB3CD, U012AB3CD], commands: [promote], clusters: [prod], passes: [freeze, hold]}
freezes:
- {name: weekend, zone: Europe/Berlin, when: ["Fri 16:00 to Mon 08:00", "12-24 to 01-02"], clusters: [prod], commands: [promote]}
approvals:
- {name: leads, from: [S012AB3CD, U012AB3CD], quorum: 3, expires: 12h, clusters: ["*"], apps: ["pod*"]}
- {name: anyone, from: [U012AB3CD], clusters: [stage]}
`), tokens, changing...)
	if err != nil {
		t.Fatal(err)
	}
	if g, ok := c.Roles[0].Users[0].Group(); !ok || g != "S012AB3CD" || c.Roles[0].Users[0].Name() != "" {
		t.Errorf("group %q, %v", g, ok)
	}
	if _, ok := c.Roles[0].Users[0].ID(); ok {
		t.Error("a group is a user")
	}
	f := c.Freezes[0]
	if f.Location.String() != "Europe/Berlin" || len(f.Windows) != 2 || f.Windows[0].Every != deploy.Weekly || f.Windows[1].Every != deploy.Yearly {
		t.Errorf("freeze %+v", f)
	}
	if a := c.Approvals; a[0].Quorum != 3 || a[0].Expires != 12*time.Hour || a[1].Quorum != 1 || a[1].Expires != 0 {
		t.Errorf("approvals %+v", a)
	}
}

func TestWindows(t *testing.T) {
	minute := func(h, m int) int { return h*60 + m }
	for text, want := range map[string]deploy.Window{
		"Fri 16:00 to Mon 08:00": {Every: deploy.Weekly, From: deploy.Edge{Weekday: time.Friday, Minute: minute(16, 0)}, To: deploy.Edge{Weekday: time.Monday, Minute: minute(8, 0)}},
		"friday 16:00 to MON":    {Every: deploy.Weekly, From: deploy.Edge{Weekday: time.Friday, Minute: minute(16, 0)}, To: deploy.Edge{Weekday: time.Monday, Minute: wholeDay}},
		"Sat to Sun":             {Every: deploy.Weekly, From: deploy.Edge{Weekday: time.Saturday}, To: deploy.Edge{Weekday: time.Sunday, Minute: wholeDay}},
		"Sun":                    {Every: deploy.Weekly, From: deploy.Edge{Weekday: time.Sunday}, To: deploy.Edge{Weekday: time.Sunday, Minute: wholeDay}},
		"Fri 08:00 to Fri 16:00": {Every: deploy.Weekly, From: deploy.Edge{Weekday: time.Friday, Minute: minute(8, 0)}, To: deploy.Edge{Weekday: time.Friday, Minute: minute(16, 0)}},
		"22:00 to 06:00":         {Every: deploy.Daily, From: deploy.Edge{Minute: minute(22, 0)}, To: deploy.Edge{Minute: minute(6, 0)}},
		"00:00 to 24:00":         {Every: deploy.Daily, To: deploy.Edge{Minute: wholeDay}},
		"12-20 to 01-04":         {Every: deploy.Yearly, From: deploy.Edge{Month: 12, Day: 20}, To: deploy.Edge{Month: 1, Day: 4, Minute: wholeDay}},
		"02-29":                  {Every: deploy.Yearly, From: deploy.Edge{Month: 2, Day: 29}, To: deploy.Edge{Month: 2, Day: 29, Minute: wholeDay}},
		"2026-11-27":             {Every: deploy.Once, From: deploy.Edge{Year: 2026, Month: 11, Day: 27}, To: deploy.Edge{Year: 2026, Month: 11, Day: 27, Minute: wholeDay}},
		"2026-11-27 12:00 to 2027-01-02": {
			Every: deploy.Once, From: deploy.Edge{Year: 2026, Month: 11, Day: 27, Minute: minute(12, 0)}, To: deploy.Edge{Year: 2027, Month: 1, Day: 2, Minute: wholeDay},
		},
	} {
		want.Text = text
		if got, wrong := parseWindow(text); wrong != "" || !reflect.DeepEqual(got, want) {
			t.Errorf("%q = %+v, %q; want %+v", text, got, wrong, want)
		}
	}
}

func TestProblemsOfGates(t *testing.T) {
	freeze := func(fields string) string {
		return small + "freezes:\n- {name: f, clusters: [prod], " + fields + "}\n"
	}
	window := func(text string) string { return freeze(fmt.Sprintf("zone: UTC, when: [%q]", text)) }
	approval := func(fields string) string {
		return small + "approvals:\n- {name: a, clusters: [prod], " + fields + "}\n"
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no such zone":                 {freeze(`zone: Europe/Berlln, when: [Sun]`), []string{`5: freezes[0].zone: there is no time zone "Europe/Berlln"; write the IANA name of a place, such as Europe/Berlin, or UTC`}},
		"the zone of ferry":            {freeze(`zone: Local, when: [Sun]`), []string{`5: freezes[0].zone: there is no time zone "Local"; write the IANA name`}},
		"no zone":                      {freeze(`when: [Sun]`), []string{`5: freezes[0].zone is missing; write zone: Europe/Berlin`}},
		"no windows":                   {freeze(`zone: UTC, when: []`), []string{`5: freezes[0].when is empty; write when: ["Fri 16:00 to Mon 08:00"]`}},
		"backwards, weekly":            {window("Fri 16:00 to Fri 08:00"), []string{`5: freezes[0].when[0]: "Fri 16:00 to Fri 08:00" ends before it begins; write "Fri 16:00 to Mon 08:00"`}},
		"backwards, yearly":            {window("12-24 16:00 to 12-24 16:00"), []string{`ends before it begins`}},
		"backwards, once":              {window("2026-12-24 to 2026-12-23"), []string{`ends before it begins`}},
		"empty":                        {window("08:00 to 08:00"), []string{`ends when it begins`}},
		"no end":                       {window("Fri 16:00"), []string{`does not say when it ends`}},
		"two kinds":                    {window("Fri 16:00 to 08:00"), []string{`begins as one kind of day and ends as another`}},
		"no time":                      {window("Fri 25:00 to Mon 08:00"), []string{`has "25:00", which is no time: write 08:00`}},
		"no time either":               {window("Fri 8:00 to Mon 08:00"), []string{`has "8:00", which is no time`}},
		"nor this":                     {window("08:60 to 09:00"), []string{`has "08:60", which is no time`}},
		"no such day":                  {window("2026-02-30"), []string{`has "2026-02-30", which is no day: write Fri, 12-24 or 2026-12-24`}},
		"nor this day":                 {window("13-01"), []string{`has "13-01", which is no day`}},
		"words":                        {window("always"), []string{`has "always", which is no day`}},
		"nothing":                      {window(" "), []string{`is no window`}},
		"too much":                     {window("Fri 16:00 CET to Mon 08:00"), []string{`has more than a day and a time: "Fri 16:00 CET"`}},
		"midnight":                     {window("Fri 24:00 to Mon 08:00"), []string{`begins at the end of a day: write 00:00 of the next`}},
		"a date unquoted":              {freeze(`zone: UTC, when: [2026-12-24]`), []string{`5: freezes[0].when[0]: "2026-12-24" is a date; a text is wanted: put it in quotes, "2026-12-24"`}},
		"no such cluster":              {small + "freezes:\n- {name: f, clusters: [prd], zone: UTC, when: [Sun]}\n", []string{`5: freezes[0].clusters[0]: no cluster is called "prd"; did you mean "prod"?`}},
		"no such command":              {freeze(`zone: UTC, when: [Sun], commands: [promot]`), []string{`5: freezes[0].commands[0]: no command that changes anything is called "promot"; did you mean "promote"?`}},
		"a name twice":                 {small + "freezes:\n- {name: f, clusters: [prod], zone: UTC, when: [Sun]}\n- {name: f, clusters: [prod], zone: UTC, when: [Sun]}\n", []string{`6: freezes[1].name: "f" is the name of freezes[0] too; give each a name of its own`}},
		"nobody":                       {approval(`from: []`), []string{`5: approvals[0].from is empty; write from: [S012AB3CD]`}},
		"no quorum":                    {approval(`from: [S012AB3CD], quorum: 0`), []string{`5: approvals[0].quorum: 0 is too small; it must be more than 0`}},
		"too few":                      {approval(`from: [U012AB3CD, U045EF6GH], quorum: 3`), []string{`5: approvals[0].quorum: 3 approvals are wanted, and 2 may give one; name more people or a user group in from, or ask for fewer`}},
		"one twice":                    {approval(`from: [U012AB3CD, U012AB3CD], quorum: 2`), []string{`5: approvals[0].quorum: 2 approvals are wanted, and 1 may give one`, `5: approvals[0].from[1]: U012AB3CD stands at from[0], too; nobody counts twice: take one out`}},
		"a name that anybody may take": {approval(`from: [some.name]`), []string{`5: approvals[0].from[0]: "some.name" is no ID of a user or a user group; write the ID (U012AB3CD, S012AB3CD): names can be changed, and an approval must not go with them`}},
		"an unknown gate":              {small + "roles:\n- {name: r, users: [U012AB3CD], commands: [promote], clusters: [prod], passes: [role]}\n", []string{`5: roles[0].passes[0]: "role" is unknown; write freeze, hold or approval`}},
	} {
		_, err := Load(write(t, c.text), tokens, changing...)
		found, _ := errors.AsType[Problems](err)
		for _, want := range c.want {
			ok := false
			for _, p := range found {
				ok = ok || strings.Contains(p.String(), want) || strings.Contains(fmt.Sprintf("%d: %s; %s", p.Line, p.Says, p.Help), want)
			}
			if !ok {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		if len(found) != len(c.want) {
			t.Errorf("%s: %d problems, want %d:\n%v", name, len(found), len(c.want), err)
		}
	}
}
