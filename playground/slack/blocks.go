package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// surface is where blocks are shown; it decides which ones and how many.
type surface string

const (
	inMessage surface = "message"
	inModal   surface = "modal"
	inHome    surface = "home"
)

// checker collects what is wrong with the blocks of one message or view.
// Limits are those of the Block Kit reference, in characters.
type checker struct {
	on       surface
	refuse   []string
	errors   []string
	blockIDs map[string]bool
	// sums over all blocks of a message
	chars, markdown, table, dataTable, tables, charts int
}

// maxBlockChars is the sum over all blocks of a message above which Slack
// answers msg_blocks_too_long (seen there, not documented). Tables and
// markdown have budgets of their own and do not count.
const maxBlockChars = 13200

// checkBlocks decodes and validates blocks and fills in the block_ids that the
// app left out, as Slack does. code is Slack's error, details are its reasons.
func (s *Server) checkBlocks(raw json.RawMessage, on surface) (out json.RawMessage, code string, details []string) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, "", nil
	}
	var blocks []map[string]any
	if err := json.Unmarshal(raw, &blocks); err != nil {
		return nil, "invalid_blocks_format", []string{err.Error()}
	}
	c := &checker{on: on, refuse: s.opts.RefuseBlocks, blockIDs: map[string]bool{}}
	limit := 100
	if on == inMessage {
		limit = 50
	}
	if len(blocks) > limit {
		c.fail("/blocks", "no more than %d items allowed", limit)
	}
	for i, b := range blocks {
		c.block(fmt.Sprintf("/blocks/%d", i), b)
	}
	c.sums()
	if len(c.errors) > 0 {
		return nil, "invalid_blocks", c.errors
	}
	if on == inMessage && c.chars > maxBlockChars {
		return nil, "msg_blocks_too_long", []string{fmt.Sprintf("%d characters over all blocks, %d allowed", c.chars, maxBlockChars)}
	}
	for _, b := range blocks {
		if id, _ := b["block_id"].(string); id == "" {
			b["block_id"] = s.nextID("b")
		}
	}
	return mustJSON(blocks), "", nil
}

func (c *checker) sums() {
	if c.markdown > 12000 {
		c.fail("/blocks", "markdown blocks hold %d characters in all, 12000 allowed", c.markdown)
	}
	if c.table > 10000 {
		c.fail("/blocks", "table blocks hold %d characters in all, 10000 allowed", c.table)
	}
	if c.dataTable > 20000 {
		c.fail("/blocks", "data_table blocks hold %d characters in all, 20000 allowed", c.dataTable)
	}
	if c.charts > 2 {
		c.fail("/blocks", "no more than 2 data_visualization blocks allowed")
	}
}

func (c *checker) fail(pointer, format string, args ...any) {
	c.errors = append(c.errors, fmt.Sprintf(format, args...)+" [json-pointer:"+pointer+"]")
}

// kinds are the blocks this Slack knows, with the properties each may have
// besides type and block_id. An unknown property is refused, as Slack does.
func kinds() map[string]string {
	return map[string]string{
		"section": "text fields accessory expand", "divider": "", "header": "text level", "context": "elements",
		"actions": "elements", "image": "image_url slack_file alt_text title", "markdown": "text",
		"rich_text": "elements", "table": "rows column_settings",
		"data_table": "caption rows page_size row_header_column_index", "input": "label element hint optional dispatch_action",
		"plan": "title tasks", "task_card": "task_id title status details output sources hide_title",
		"alert": "*", "file": "*", "video": "*", "card": "*", "carousel": "*", "container": "*",
		"context_actions": "*", "data_visualization": "*",
	}
}

func (c *checker) block(at string, b map[string]any) {
	kind, _ := b["type"].(string)
	known, ok := kinds()[kind]
	if !ok || contains(c.refuse, kind) {
		c.fail(at+"/type", "unsupported type: %s", kind)
		return
	}
	if known != "*" {
		c.properties(at, b, "type block_id "+known)
	}
	if id := str(b, "block_id"); id != "" {
		c.max(at+"/block_id", id, 255)
		if c.blockIDs[id] {
			c.fail(at+"/block_id", "`block_id` already exists: %s", id)
		}
		c.blockIDs[id] = true
	}
	switch kind {
	case "section":
		c.section(at, b)
	case "header":
		c.text(at+"/text", b["text"], 150, "plain_text")
	case "context":
		c.context(at, b)
	case "actions", "context_actions":
		c.actions(at, b)
	case "image":
		c.image(at, b)
	case "markdown":
		c.markdown += utf8.RuneCountInString(str(b, "text"))
		c.required(at, b, "text")
	case "table", "data_table":
		c.rows(at, kind, b)
	case "input":
		c.input(at, b)
	case "plan", "task_card":
		c.plan(at, kind, b)
	case "alert":
		if c.on != inModal {
			c.fail(at+"/type", "alert is for modals only")
		}
	case "data_visualization":
		c.charts++
	case "rich_text":
		c.richText(at, b)
	}
}

func (c *checker) properties(at string, b map[string]any, allowed string) {
	list := strings.Fields(allowed)
	for name := range b {
		if !contains(list, name) {
			c.fail(at, "invalid additional property: %s", name)
		}
	}
}

func (c *checker) required(at string, b map[string]any, names ...string) {
	for _, name := range names {
		if v, ok := b[name]; !ok || v == nil || v == "" {
			c.fail(at, "missing required field: %s", name)
		}
	}
}

func (c *checker) max(at, value string, limit int) {
	if utf8.RuneCountInString(value) > limit {
		c.fail(at, "must be less than %d characters", limit+1)
	}
}

// text checks a text object; kinds lists the allowed types.
func (c *checker) text(at string, v any, limit int, kinds string) {
	t, ok := v.(map[string]any)
	if !ok {
		c.fail(at, "must be a text object")
		return
	}
	c.properties(at, t, "type text emoji verbatim")
	if !contains(strings.Fields(kinds), str(t, "type")) {
		c.fail(at+"/type", "unsupported text type: %s", str(t, "type"))
	}
	value := str(t, "text")
	if value == "" {
		c.fail(at+"/text", "must be more than 0 characters")
	}
	c.max(at+"/text", value, limit)
	c.chars += utf8.RuneCountInString(value)
}

const anyText = "mrkdwn plain_text"

func (c *checker) section(at string, b map[string]any) {
	fields := list(b, "fields")
	if b["text"] == nil && len(fields) == 0 {
		c.fail(at, "missing required field: text or fields")
	}
	if b["text"] != nil {
		c.text(at+"/text", b["text"], 3000, anyText)
	}
	if len(fields) > 10 {
		c.fail(at+"/fields", "no more than 10 items allowed")
	}
	for i, f := range fields {
		c.text(fmt.Sprintf("%s/fields/%d", at, i), f, 2000, anyText)
	}
	if acc, ok := b["accessory"].(map[string]any); ok {
		c.element(at+"/accessory", acc)
	}
}

func (c *checker) context(at string, b map[string]any) {
	elements := list(b, "elements")
	if len(elements) == 0 || len(elements) > 10 {
		c.fail(at+"/elements", "between 1 and 10 items allowed")
	}
	for i, e := range elements {
		where := fmt.Sprintf("%s/elements/%d", at, i)
		if m, ok := e.(map[string]any); ok && str(m, "type") == "image" {
			c.image(where, m)
			continue
		}
		c.text(where, e, 3000, anyText)
	}
}

func (c *checker) image(at string, b map[string]any) {
	c.required(at, b, "alt_text")
	c.max(at+"/alt_text", str(b, "alt_text"), 2000)
	c.max(at+"/image_url", str(b, "image_url"), 3000)
	if str(b, "image_url") == "" && b["slack_file"] == nil {
		c.fail(at, "missing required field: image_url or slack_file")
	}
}

func str(m map[string]any, name string) string {
	v, _ := m[name].(string)
	return v
}

func list(m map[string]any, name string) []any {
	v, _ := m[name].([]any)
	return v
}

func contains(list []string, value string) bool {
	for _, v := range list {
		if v == value {
			return true
		}
	}
	return false
}
