//! The routes of the catalogue, and what the OpenAPI document says of them: what they answer, in
//! [`described`], and what they can be asked, in [`parameters`].

pub mod described;
pub mod movies;
pub mod parameters;
pub mod rate;
