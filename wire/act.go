package wire

import "time"

// Act is what an admin does to an account.
type Act struct {
	Act    string     `json:"act" enum:"force_logout,set_status,hold,lift,approve,reject,suspend,ban,activate,trash,restore,delete,forget_history" doc:"What is done. trash can be undone by restore; delete and forget_history are for good."`
	Status string     `json:"status,omitempty" enum:"online,away,offline" doc:"For set_status and hold."`
	Until  *time.Time `json:"until,omitempty" doc:"When a hold or a suspend ends by itself, in the future. Absent: when it is ended."`
	Note   string     `json:"note,omitempty" maxLength:"500" doc:"Beside a hold."`
	Reason string     `json:"reason,omitempty" maxLength:"500" doc:"For the audit."`
}

// NewJob asks for an act on many accounts: those of IDs, or those that Filter finds.
type NewJob struct {
	Act
	IDs      []string `json:"ids,omitempty" maxItems:"5000" nullable:"false" doc:"The users. Either these or filter."`
	Filter   *string  `json:"filter,omitempty" maxLength:"2000" doc:"The filters of list_users, as a query; empty: everybody." example:"presence=online&role=user"`
	Expected int      `json:"expected" minimum:"1" maximum:"100000" doc:"How many users are meant. When the filter finds another number, nothing is done (409)."`
}

// Job is an act on many accounts, or the undoing of one.
type Job struct {
	ID string `json:"id"`
	Act
	Filter *string `json:"filter,omitempty"`
	By     string  `json:"by" doc:"The id of the admin whose job it is."`
	ByName string  `json:"by_name"`
	State  string  `json:"state" enum:"waiting,running,done,cancelled,failed,interrupted" doc:"failed: the admin may not do this any more, or the store failed; interrupted: the server ended in the middle. What was done before stays done."`
	Detail string  `json:"detail,omitempty" doc:"Why it failed or was interrupted."`
	// The numbers: Total = OK + Failed + Left.
	Total  int        `json:"total"`
	OK     int        `json:"ok"`
	Failed int        `json:"failed"`
	Left   int        `json:"left" doc:"Not done (yet). Of an interrupted job, up to a second's worth of these were done without being noted; the audit has them, with request_id = the job's id."`
	At     time.Time  `json:"at" doc:"When it was asked for."`
	Began  *time.Time `json:"began"`
	Ended  *time.Time `json:"ended"`
	// Undo.
	UndoUntil *time.Time `json:"undo_until" doc:"Until when it can be undone. Null: it cannot."`
	UndoneBy  string     `json:"undone_by,omitempty" doc:"The job that undoes it."`
	UndoOf    string     `json:"undo_of,omitempty" doc:"The job that this one undoes."`
}

// JobList is the jobs of the last day, newest first.
type JobList struct {
	Items []Job `json:"items" nullable:"false"`
}

// JobRow is what became of one account in a job.
type JobRow struct {
	User     string `json:"user"`
	Username string `json:"username,omitempty"`
	OK       bool   `json:"ok"`
	Code     string `json:"code,omitempty" doc:"Why not, for programs." example:"last_admin"`
	Detail   string `json:"detail,omitempty" doc:"Why not, for people."`
}

// JobRows is a page of rows, in the order in which they were done.
type JobRows struct {
	Items      []JobRow `json:"items" nullable:"false"`
	NextCursor *string  `json:"next_cursor" doc:"Hand it in as cursor for the next page. Null: there is none (yet)."`
}

// FeedJob says, in scope all, how far a job is.
type FeedJob struct {
	T      string `json:"t"` // job
	ID     string `json:"id"`
	State  string `json:"state" enum:"waiting,running,done,cancelled,failed,interrupted"`
	Total  int    `json:"total"`
	OK     int    `json:"ok"`
	Failed int    `json:"failed"`
}
