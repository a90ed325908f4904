-- +goose Up

-- With how many devices (live sessions) and open connections people were here at the minute's beginning, on all nodes
-- together. NULL: nobody counted them.
ALTER TABLE concurrency ADD COLUMN devices INTEGER;
ALTER TABLE concurrency ADD COLUMN connections INTEGER;

-- +goose Down

ALTER TABLE concurrency DROP COLUMN connections;
ALTER TABLE concurrency DROP COLUMN devices;
