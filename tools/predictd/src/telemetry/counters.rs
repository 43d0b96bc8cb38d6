//! Counters that each worker thread keeps for itself, as Prometheus reads them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

use crate::telemetry::per_thread::PerThread;

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<PerThread<AtomicU64>>);

impl Counter {
    pub(crate) fn add(&self, many: u64) {
        self.0.own().fetch_add(many, Ordering::Relaxed);
    }
}

impl TypedMetric for Counter {
    const TYPE: MetricType = MetricType::Counter;
}

impl EncodeMetric for Counter {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let sum: u64 = self.0.all().map(|one| one.load(Ordering::Relaxed)).sum();
        encoder.encode_counter::<NoLabelSet, _, u64>(&sum, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// How many of something there are now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauge(Arc<PerThread<AtomicI64>>);

/// One of them: it counts until it is dropped.
pub(crate) struct InFlightGuard<'l>(&'l Gauge);

impl Gauge {
    pub(crate) fn one(&self) -> InFlightGuard<'_> {
        self.0.own().fetch_add(1, Ordering::Relaxed);
        InFlightGuard(self)
    }
}

impl Drop for InFlightGuard<'_> {
    fn drop(&mut self) {
        self.0.0.own().fetch_sub(1, Ordering::Relaxed);
    }
}

impl EncodeMetric for Gauge {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let sum: i64 = self.0.all().map(|one| one.load(Ordering::Relaxed)).sum();
        encoder.encode_gauge(&sum)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

/// Upper ends in seconds: a prediction takes microseconds, a batch of trees milliseconds.
const BUCKETS: [f64; 15] = [
    0.000_05,
    0.000_1,
    0.000_25,
    0.000_5,
    0.001,
    0.002_5,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.5,
    2.5,
    10.0,
    f64::INFINITY,
];

/// How many times were how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Durations(Arc<PerThread<Times>>);

#[derive(Debug, Default)]
struct Times {
    nanoseconds: AtomicU64,
    counts: [AtomicU64; BUCKETS.len()],
}

impl Durations {
    pub(crate) fn add(&self, time: Duration) {
        let times = self.0.own();
        let seconds = time.as_secs_f64();
        let bucket = BUCKETS.iter().position(|end| seconds <= *end).unwrap_or(BUCKETS.len() - 1);
        times.counts[bucket].fetch_add(1, Ordering::Relaxed);
        times.nanoseconds.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl TypedMetric for Durations {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let mut counts = [0; BUCKETS.len()];
        let mut nanoseconds = 0;
        for times in self.0.all() {
            nanoseconds += times.nanoseconds.load(Ordering::Relaxed);
            counts.iter_mut().zip(&times.counts).for_each(|(sum, one)| *sum += one.load(Ordering::Relaxed));
        }
        let buckets: Vec<(f64, u64)> = BUCKETS.into_iter().zip(counts).collect();
        let seconds = Duration::from_nanos(nanoseconds).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(seconds, counts.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}
