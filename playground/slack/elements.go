package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

func (c *checker) actions(at string, b map[string]any) {
	elements := list(b, "elements")
	if len(elements) == 0 || len(elements) > 25 {
		c.fail(at+"/elements", "between 1 and 25 items allowed")
	}
	ids := map[string]bool{}
	for i, e := range elements {
		m, ok := e.(map[string]any)
		where := fmt.Sprintf("%s/elements/%d", at, i)
		if !ok {
			c.fail(where, "must be an object")
			continue
		}
		if id := str(m, "action_id"); id != "" {
			if ids[id] {
				c.fail(where+"/action_id", "`action_id` already exists: %s", id)
			}
			ids[id] = true
		}
		if kind := str(m, "type"); strings.HasPrefix(kind, "multi_") || strings.HasSuffix(kind, "_input") {
			c.fail(where+"/type", "%s is for sections and input blocks", kind)
		}
		c.element(where, m)
	}
}

// element checks an interactive element.
func (c *checker) element(at string, e map[string]any) {
	c.max(at+"/action_id", str(e, "action_id"), 255)
	switch kind := str(e, "type"); kind {
	case "button":
		c.button(at, e)
	case "image":
		c.image(at, e)
	case "static_select", "multi_static_select", "radio_buttons", "checkboxes", "overflow":
		c.options(at, e)
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		if v := str(e, "initial_value"); v != "" {
			c.max(at+"/initial_value", v, 3000)
		}
	case "users_select", "channels_select", "conversations_select", "external_select", "datepicker", "timepicker",
		"datetimepicker", "multi_users_select", "multi_channels_select", "multi_conversations_select",
		"multi_external_select", "rich_text_input", "workflow_button", "feedback_buttons", "icon_button", "file_input":
	default:
		c.fail(at+"/type", "unsupported element: %s", kind)
	}
	if confirm, ok := e["confirm"].(map[string]any); ok {
		c.confirm(at+"/confirm", confirm)
	}
}

func (c *checker) button(at string, e map[string]any) {
	c.properties(at, e, "type text action_id url value style confirm accessibility_label")
	c.text(at+"/text", e["text"], 75, "plain_text")
	c.max(at+"/value", str(e, "value"), 2000)
	c.max(at+"/url", str(e, "url"), 3000)
	c.max(at+"/accessibility_label", str(e, "accessibility_label"), 75)
	if style, ok := e["style"]; ok && style != "primary" && style != "danger" {
		c.fail(at+"/style", "must be primary or danger")
	}
}

func (c *checker) confirm(at string, v map[string]any) {
	c.properties(at, v, "title text confirm deny style")
	c.text(at+"/title", v["title"], 100, "plain_text")
	c.text(at+"/text", v["text"], 300, anyText)
	c.text(at+"/confirm", v["confirm"], 30, "plain_text")
	c.text(at+"/deny", v["deny"], 30, "plain_text")
}

func (c *checker) options(at string, e map[string]any) {
	options := list(e, "options")
	groups := list(e, "option_groups")
	if len(options) == 0 && len(groups) == 0 {
		c.fail(at+"/options", "missing required field: options")
	}
	if len(options) > 0 && len(groups) > 0 {
		c.fail(at+"/option_groups", "only one of options and option_groups is allowed")
	}
	c.optionList(at+"/options", options)
	if len(groups) > 100 {
		c.fail(at+"/option_groups", "no more than 100 items allowed")
	}
	for i, g := range groups {
		m, ok := g.(map[string]any)
		where := fmt.Sprintf("%s/option_groups/%d", at, i)
		if !ok || len(list(m, "options")) == 0 {
			c.fail(where, "must be an object with options")
			continue
		}
		c.text(where+"/label", m["label"], 75, "plain_text")
		c.optionList(where+"/options", list(m, "options"))
	}
	for _, name := range []string{"initial_option", "initial_options"} {
		if e[name] != nil && !offers(e, e[name]) {
			c.fail(at+"/"+name, "must be one of the options")
		}
	}
}

func (c *checker) optionList(at string, options []any) {
	if len(options) > 100 {
		c.fail(at, "no more than 100 items allowed")
	}
	for i, o := range options {
		m, ok := o.(map[string]any)
		where := fmt.Sprintf("%s/%d", at, i)
		if !ok {
			c.fail(where, "must be an object")
			continue
		}
		c.text(where+"/text", m["text"], 75, anyText)
		c.max(where+"/value", str(m, "value"), 150)
	}
}

func (c *checker) input(at string, b map[string]any) {
	c.text(at+"/label", b["label"], 2000, "plain_text")
	if b["hint"] != nil {
		c.text(at+"/hint", b["hint"], 2000, "plain_text")
	}
	e, ok := b["element"].(map[string]any)
	if !ok {
		c.fail(at, "missing required field: element")
		return
	}
	c.element(at+"/element", e)
}

// rows checks table and data_table: at most 100 and 201 rows of 20 cells.
func (c *checker) rows(at, kind string, b map[string]any) {
	rows := list(b, "rows")
	least, most, width := 1, 100, -1
	if kind == "data_table" {
		least, most = 2, 201
		c.required(at, b, "caption")
	} else if c.tables++; c.tables > 1 {
		c.fail(at, "only one table allowed")
	}
	if len(rows) < least || len(rows) > most {
		c.fail(at+"/rows", "between %d and %d items allowed", least, most)
	}
	for i, r := range rows {
		cells, ok := r.([]any)
		where := fmt.Sprintf("%s/rows/%d", at, i)
		if !ok || len(cells) == 0 || len(cells) > 20 {
			c.fail(where, "between 1 and 20 cells allowed")
			continue
		}
		if width >= 0 && kind == "data_table" && len(cells) != width {
			c.fail(where, "rows must have the same number of cells")
		}
		width = len(cells)
		for j, cell := range cells {
			c.cell(fmt.Sprintf("%s/%d", where, j), kind, cell)
		}
	}
}

func (c *checker) cell(at, kind string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		if v != nil || kind == "data_table" {
			c.fail(at, "must be a cell")
		}
		return
	}
	switch t := str(m, "type"); t {
	case "raw_text", "rich_text":
		if t == "raw_text" && str(m, "text") == "" {
			c.fail(at+"/text", "must be more than 0 characters")
		}
	case "raw_number":
		if _, ok := m["value"].(float64); !ok {
			c.fail(at+"/value", "must be a number")
		}
	case "action_cell":
		e, ok := m["element"].(map[string]any)
		if !ok || kind != "data_table" {
			c.fail(at, "action_cell needs an element and a data_table")
			return
		}
		c.button(at+"/element", e)
	default:
		c.fail(at+"/type", "unsupported cell: %s", t)
	}
	count := textLength(m)
	if kind == "table" {
		c.table += count
	} else {
		c.dataTable += count
	}
}

// textLength is the sum of all "text" strings below v.
func textLength(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if text, ok := child.(string); ok && name == "text" {
				n += utf8.RuneCountInString(text)
			} else {
				n += textLength(child)
			}
		}
	case []any:
		for _, child := range v {
			n += textLength(child)
		}
	}
	return n
}

func (c *checker) plan(at, kind string, b map[string]any) {
	if _, ok := b["title"].(string); !ok {
		c.fail(at+"/title", "must be a string")
	}
	c.chars += utf8.RuneCountInString(str(b, "title"))
	if kind == "task_card" {
		c.required(at, b, "task_id")
		if str(b, "status") == "pending" {
			c.fail(at+"/status", "pending is for tasks of a plan")
		}
		return
	}
	for i, t := range list(b, "tasks") {
		m, ok := t.(map[string]any)
		where := fmt.Sprintf("%s/tasks/%d", at, i)
		if !ok {
			c.fail(where, "must be an object")
			continue
		}
		c.required(where, m, "task_id", "title")
		if st := str(m, "status"); st != "" && !contains(strings.Fields("pending in_progress complete error"), st) {
			c.fail(where+"/status", "unknown status: %s", st)
		}
		c.chars += textLength(m)
	}
}

func (c *checker) richText(at string, b map[string]any) {
	for i, e := range list(b, "elements") {
		m, _ := e.(map[string]any)
		switch t := str(m, "type"); t {
		case "rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote":
		default:
			c.fail(fmt.Sprintf("%s/elements/%d/type", at, i), "unsupported element: %s", t)
		}
	}
	c.chars += textLength(b["elements"])
}

// checkAttachments validates what is inside attachments; at most 100.
func (s *Server) checkAttachments(raw json.RawMessage) (json.RawMessage, string, []string) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, "", nil
	}
	var attachments []map[string]json.RawMessage
	if err := json.Unmarshal(raw, &attachments); err != nil {
		return nil, "invalid_attachments", []string{err.Error()}
	}
	if len(attachments) > 100 {
		return nil, "too_many_attachments", nil
	}
	for i, a := range attachments {
		a["id"] = mustJSON(i + 1)
		blocks, code, details := s.checkBlocks(a["blocks"], inMessage)
		if code != "" {
			return nil, code, details
		}
		if blocks != nil {
			a["blocks"] = blocks
		}
	}
	return mustJSON(attachments), "", nil
}
