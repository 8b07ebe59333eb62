package main

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	ringomysql "ringo/adapters/database/mysql"
	ringopgx "ringo/adapters/database/pgx"
	ringoredis "ringo/adapters/database/redis"
)

// askPostgres queries PostgreSQL by a session of pgx.
//
//ringo:offloaded a session of tasks, which waits by Ringo alone
func (s *service) askPostgres(ctx context.Context, id string) (name string, err error) {
	err = ringopgx.Do(ctx, s.postgres, func(ctx context.Context, c *pgx.Conn) error {
		return c.QueryRow(ctx, "select 'user ' || $1::text", id).Scan(&name)
	})
	return name, err
}

// askMySQL queries MySQL by a session of go-sql-driver.
//
//ringo:offloaded a session of tasks, which waits by Ringo alone
func (s *service) askMySQL(ctx context.Context, id string) (name string, err error) {
	err = ringomysql.Do(ctx, s.mysql, func(ctx context.Context, c *sql.Conn) error {
		return c.QueryRowContext(ctx, "select concat('user ', ?)", id).Scan(&name)
	})
	return name, err
}

// askRedis queries redis by a session of go-redis.
//
//ringo:offloaded a session of tasks, which waits by Ringo alone
func (s *service) askRedis(ctx context.Context, id string) (name string, err error) {
	err = ringoredis.Do(ctx, s.redis, func(ctx context.Context, c *redis.Client) error {
		name, err = c.Get(ctx, "user:"+id).Result()
		return err
	})
	return name, err
}
