package wire

import "time"

// Trash is the accounts that were deleted and can be restored.
type Trash struct {
	Items []TrashedUser `json:"items" nullable:"false" doc:"The one that was deleted last first."`
	Total int           `json:"total" doc:"How many lie in the trash."`
	// RetentionSeconds is the setting trash_retention.
	RetentionSeconds int64     `json:"retention_seconds" doc:"How long accounts lie in the trash before they are erased by themselves. 0: until an admin erases them."`
	AsOf             time.Time `json:"as_of"`
}

// TrashedUser is an account in the trash.
type TrashedUser struct {
	Account       Account    `json:"account"`
	DeletedAt     time.Time  `json:"deleted_at"`
	DeletedBy     string     `json:"deleted_by" doc:"The id of the admin who deleted it, with a minus before it that of an API token. Empty: the command line, or the audit does not know."`
	DeletedByName string     `json:"deleted_by_name" doc:"The username of that admin, where the account is still there."`
	Reason        string     `json:"reason,omitempty"`
	ErasedAt      *time.Time `json:"erased_at" doc:"From when on it is erased by itself. Null: it is not."`
}
