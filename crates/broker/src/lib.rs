//! The broker's port and its adapters. `kafka` is the only code that names rdkafka.
#![warn(missing_docs)]

pub mod kafka;
mod port;

pub use port::{
    Admin, Batch, Broker, BrokerError, ClusterTopic, Consumer, ConsumerEvent, ConsumerSettings,
    Delivery, Header, Message, NewTopic, Position, Producer, TopicPartition,
};
