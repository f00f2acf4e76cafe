//! Facets without the search index: the database scans every matching movie.

use bson::{Document, doc};
use futures::TryStreamExt;
use serde::Deserialize;

use super::movies::Movies;
use crate::{
    mongo::{StoreError, within},
    movies::{
        filter::MovieFilter,
        search::{Entry, Facets},
    },
};

/// How long the scan for a broad filter may take.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(10);
/// How many entries each facet has.
const ENTRIES: i32 = 50;

#[derive(Deserialize)]
struct Counted<T> {
    #[serde(rename = "_id")]
    value: T,
    count: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, bound = "")]
struct AllCounted {
    genres: Vec<Counted<String>>,
    decades: Vec<Counted<i32>>,
    languages: Vec<Counted<String>>,
    countries: Vec<Counted<String>>,
}

fn entries<T>(counted: Vec<Counted<T>>) -> Vec<Entry<T>> {
    let entry = |counted: Counted<T>| Entry { value: counted.value, count: counted.count.unsigned_abs() };
    counted.into_iter().map(entry).collect()
}

impl Movies {
    /// # Errors
    /// When the database fails, or there are too many movies to scan; [`StoreError::Overloaded`] when too many
    /// commands are counting.
    pub async fn facets(&self, filter: &MovieFilter) -> Result<Facets, StoreError> {
        let _counting = self.counting.begin()?;
        let decade = doc! { "$subtract": ["$year", { "$mod": ["$year", 10] }] };
        let with_year = doc! { "$match": { "year": { "$gte": i32::MIN } } };
        let each = |field: &str| doc! { "$unwind": field };
        let stages = vec![
            doc! { "$match": filter.condition() },
            doc! { "$project": { "_id": 0, "genres": 1, "languages": 1, "countries": 1, "year": 1 } },
            doc! { "$facet": {
                "genres": counted(each("$genres"), "$genres"),
                "decades": counted(with_year, decade),
                "languages": counted(each("$languages"), "$languages"),
                "countries": counted(each("$countries"), "$countries"),
            } },
        ];
        let aggregate = self.collection().aggregate(stages).with_type::<AllCounted>().max_time(LIMIT);
        let all: Vec<AllCounted> = within(LIMIT, async { aggregate.await?.try_collect().await }).await?;
        let all = all.into_iter().next().unwrap_or_default();
        Ok(Facets {
            genres: entries(all.genres),
            decades: entries(all.decades),
            languages: entries(all.languages),
            countries: entries(all.countries),
        })
    }
}

fn counted(first: Document, value: impl Into<bson::Bson>) -> Vec<Document> {
    vec![
        first,
        doc! { "$group": { "_id": value, "count": { "$sum": 1_i64 } } },
        doc! { "$sort": { "count": -1, "_id": 1 } },
        doc! { "$limit": ENTRIES },
    ]
}
