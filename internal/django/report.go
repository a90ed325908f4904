package django

// Grade says what a finding cost.
type Grade string

// Grades of findings.
const (
	Refused Grade = "refused" // the row is not carried over
	Changed Grade = "changed" // it is, but not as it was
	Kept    Grade = "kept"    // it is here already and differs; ours stays
	Noted   Grade = "noted"   // it is carried over as it was, and somebody should know something
)

// Finding is something about one row of the original.
type Finding struct {
	Grade Grade  `json:"grade"`
	Table string `json:"table"` // "users", "tokens", "sessions", "activities"
	ID    string `json:"id"`    // as it stands there
	Name  string `json:"name,omitempty"`
	Field string `json:"field,omitempty"`
	Text  string `json:"text"`
}

// maxFindings is how many findings are kept; beyond it they are only counted.
const maxFindings = 100_000

// Tally is what became of the rows of one table.
type Tally struct {
	Table string `json:"table"` // its name in the original; empty: there is none
	Rows  int    `json:"rows"`  // that were looked at in this run
	Added int    `json:"added"`
	// Updated were here, differed and were brought to what the original says (only when asked for).
	Updated int `json:"updated"`
	// Unchanged were here and agreed.
	Unchanged int `json:"unchanged"`
	Kept      int `json:"kept"`
	Refused   int `json:"refused"`
	// Over are tokens that ended by themselves, and sessions that hold nothing to carry.
	Over int `json:"over"`
	// Before were carried in an earlier run and are not looked at again.
	Before int `json:"before"`
}

// Left is a column that has no place here, with how many rows have something in it.
type Left struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Rows   int    `json:"rows"`
}

// Compared is one line of the comparison at the end.
type Compared struct {
	What string `json:"what"`
	// There and Here are a count, or a checksum of the field over all accounts.
	There     string `json:"there"`
	Here      string `json:"here"`
	Differing int    `json:"differing"` // accounts; 0 where the two agree
}

// Report is what an import did, or with DryRun would do.
type Report struct {
	Source     string         `json:"source"`
	DryRun     bool           `json:"dry_run"`
	Users      Tally          `json:"users"`
	Tokens     []Tally        `json:"tokens"`
	Sessions   Tally          `json:"sessions"`
	Activities Tally          `json:"activities"`
	Missing    []string       `json:"missing"` // tables and columns that were looked for
	Left       []Left         `json:"left"`
	Seemed     map[string]int `json:"shown_as"` // how many the original showed online and away
	Counts     map[Grade]int  `json:"finding_counts"`
	Findings   []Finding      `json:"findings"`
	Comparison []Compared     `json:"comparison"`
}

// Changes is how many rows were written.
func (r *Report) Changes() int {
	n := r.Users.Added + r.Users.Updated + r.Sessions.Added + r.Activities.Added
	for _, t := range r.Tokens {
		n += t.Added
	}
	return n
}

// Agrees reports whether the comparison found nothing but accounts that were kept on purpose.
func (r *Report) Agrees() bool {
	for _, c := range r.Comparison {
		if c.Differing > 0 {
			return false
		}
	}
	return true
}

func (r *Report) note(f Finding) {
	r.Counts[f.Grade]++
	if len(r.Findings) < maxFindings {
		r.Findings = append(r.Findings, f)
	}
}
