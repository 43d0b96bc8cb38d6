//! tmp
#[derive(clap::Parser)]
pub struct Args{}
pub fn run(_:Args)->manners::Outcome{Ok(())}
