// Uploads and pushes that overlap, break off, or outlive the server.

import { testStories } from "./row.ts";
import { liveUploadStories } from "./rows/live_uploads.ts";

testStories("live uploads", liveUploadStories);
