package metrics

// Disk is what a store on this machine's disk tells. A nil one is not told. All are called at every scrape.
type Disk struct {
	Full    func() bool    // presence_store_disk_full: 1 while there is no room
	Refused func() uint64  // presence_store_disk_full_refused_total
	Free    func() float64 // presence_data_free_bytes: that are left where the data directory is
	// LastBackup is presence_backup_last_success_timestamp_seconds; 0: never.
	LastBackup func() float64
	// BackupFailures is presence_backup_failures_total.
	BackupFailures func() uint64
}

// WatchDisk tells d from now on. Call it once, while wiring up.
func (m *Metrics) WatchDisk(d Disk) {
	if d.Full != nil {
		m.gauge("presence_store_disk_full", "1 while nothing can be saved because the disk is full.", func() float64 {
			if d.Full() {
				return 1
			}
			return 0
		})
	}
	if d.Free != nil {
		m.gauge("presence_data_free_bytes", "Bytes that are free where the data directory is.", d.Free)
	}
	if d.LastBackup != nil {
		m.gauge("presence_backup_last_success_timestamp_seconds", "When the newest good backup was made, as Unix time; 0: never.", d.LastBackup)
	}
	m.count("presence_store_disk_full_refused_total", "Writes that were refused because the disk was full.", d.Refused)
	m.count("presence_backup_failures_total", "Scheduled backups that failed.", d.BackupFailures)
}

func (m *Metrics) count(name, help string, read func() uint64) {
	if read == nil {
		return
	}
	m.countBy(name, help, nil, read)
}
