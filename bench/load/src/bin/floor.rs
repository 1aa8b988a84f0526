//! The least that a JSON service in Rust can do, so that a comparison knows what HTTP and JSON alone cost: it parses a
//! request and sends it back.

use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Parser;
use serde_json::Value;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// Echoes the JSON that is posted to /predict, on 127.0.0.1.
#[derive(Parser)]
#[command(name = "floor", version)]
struct Arguments {
    #[arg(long, default_value_t = 8109)]
    port: u16,
}

fn main() -> std::io::Result<()> {
    let port = Arguments::parse().port;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        axum::serve(listener, routes()).await
    })
}

fn routes() -> Router {
    Router::new().route("/readyz", get(|| async {})).route("/predict", post(echo))
}

async fn echo(Json(request): Json<Value>) -> Json<Value> {
    Json(request)
}
