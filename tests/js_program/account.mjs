// One login by matrix-js-sdk: chats, keys, recovery. What happens by itself is told by `tell(event, what)`.

import { OlmMachine } from "@matrix-org/matrix-sdk-crypto-wasm";
import {
    ClientEvent,
    createClient,
    Direction,
    MatrixEventEvent,
    MemoryStore,
    RoomEvent,
    SyncState,
} from "matrix-js-sdk";
import { CryptoEvent, decodeRecoveryKey, deriveRecoveryKeyFromPassphrase } from "matrix-js-sdk/lib/crypto-api/index.js";

import { RustBackupManager } from "matrix-js-sdk/lib/rust-crypto/backup.js";

import { Verifications } from "./verifications.mjs";

const quiet = { trace() {}, debug() {}, info() {}, warn: console.warn, error: console.error, getChild: () => quiet };
// Keys are otherwise brought to the backup after a random pause of up to ten seconds.
RustBackupManager.maxBackupLoopStartDelayMillis = 0;

const MEGOLM = { type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } };

export class Account {
    constructor(tell) {
        this.tell = tell;
        this.secret_storage_key = null;
    }

    async log_in({ homeserver, user, password }) {
        this.password = password;
        const login = await createClient({ baseUrl: homeserver, logger: quiet }).loginRequest({
            type: "m.login.password",
            identifier: { type: "m.id.user", user },
            password,
            initial_device_display_name: "matrix-js-sdk",
        });
        this.client = createClient({
            baseUrl: homeserver,
            userId: login.user_id,
            deviceId: login.device_id,
            accessToken: login.access_token,
            store: new MemoryStore(),
            logger: quiet,
            timelineSupport: true,
            verificationMethods: ["m.sas.v1"],
            cryptoCallbacks: {
                getSecretStorageKey: async ({ keys }) =>
                    this.secret_storage_key && [await this.#key_id(keys), this.secret_storage_key],
                cacheSecretStorageKey: (id, info, key) => (this.secret_storage_key = key),
            },
        });
        await this.client.initRustCrypto({ useIndexedDB: false });
        this.crypto = this.client.getCrypto();
        this.verifications = new Verifications(this.client, this.tell);
        this.#listen();
        await this.client.startClient({ initialSyncLimit: 50, pollTimeout: 10_000 });
        await this.#synced();
        return { user_id: login.user_id, device_id: login.device_id };
    }

    stop() {
        this.client?.stopClient();
    }

    async log_out() {
        this.stop();
        await this.client.logout(false);
    }

    // Chats

    async create_room({ invite, name, encrypted, direct }) {
        const { room_id } = await this.client.createRoom({
            invite,
            name: name || undefined,
            is_direct: direct,
            preset: direct ? "trusted_private_chat" : "private_chat",
            initial_state: encrypted ? [MEGOLM] : [],
        });
        if (direct) await this.client.setAccountData("m.direct", { [invite[0]]: [room_id] });
        await this.#room(room_id);
        return room_id;
    }

    async join({ room_id }) {
        await this.client.joinRoom(room_id);
        await this.#room(room_id);
    }

    async leave({ room_id }) {
        await this.client.leave(room_id);
    }

    async encrypted({ room_id }) {
        return await this.crypto.isEncryptionEnabledInRoom(room_id);
    }

    // Keys of what is said from now on are for devices that this one knows to be verified.
    async keep_from_unverified() {
        this.crypto.globalBlacklistUnverifiedDevices = true;
    }

    async send({ room_id, content }) {
        await this.#room(room_id);
        return (await this.client.sendEvent(room_id, "m.room.message", content)).event_id;
    }

    // The newest `most` messages of a room, the oldest first, fetched and decrypted as far as keys are there.
    async history({ room_id, most }) {
        const room = await this.#room(room_id);
        const timeline = room.getLiveTimeline();
        const messages = () => timeline.getEvents().filter(wanted);
        while (messages().length < most && timeline.getPaginationToken(Direction.Backward)) {
            await this.client.scrollback(room, 50);
            for (const event of timeline.getEvents()) await this.client.decryptEventIfNeeded(event);
        }
        return messages().slice(-most).map(shown);
    }

    // Keys

    async bootstrap({ passphrase }) {
        await this.crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (upload) => this.#with_password(upload) });
        const key = await this.crypto.createRecoveryKeyFromPassphrase(passphrase || undefined);
        await this.crypto.bootstrapSecretStorage({
            createSecretStorageKey: async () => key,
            setupNewSecretStorage: true,
            setupNewKeyBackup: true,
        });
        await this.crypto.checkKeyBackupAndEnable();
        return key.encodedPrivateKey;
    }

    async recover({ recovery_key, passphrase }) {
        const id = await this.client.secretStorage.getDefaultKeyId();
        const [, info] = await this.client.secretStorage.getKey(id);
        this.secret_storage_key = passphrase
            ? await deriveRecoveryKeyFromPassphrase(passphrase, info.passphrase.salt, info.passphrase.iterations)
            : decodeRecoveryKey(recovery_key);
        if (!(await this.client.secretStorage.checkKey(this.secret_storage_key, info)))
            throw new Error("this key does not open the secret storage");
        // The keys of an identity are taken only by who has seen it: a device that has just logged in may not have yet.
        await this.crypto.userHasCrossSigningKeys(undefined, true);
        await this.crypto.bootstrapCrossSigning({
            authUploadDeviceSigningKeys: () => {
                throw new Error("a second identity would have been made");
            },
        });
        await this.crypto.loadSessionBackupPrivateKeyFromSecretStorage();
        await this.crypto.checkKeyBackupAndEnable();
        return await this.restore_backup();
    }

    async restore_backup() {
        return await this.crypto.restoreKeyBackup();
    }

    async state() {
        const { publicKeysOnDevice, privateKeysInSecretStorage, privateKeysCachedLocally } =
            await this.crypto.getCrossSigningStatus();
        return {
            identity: publicKeysOnDevice,
            in_secret_storage: privateKeysInSecretStorage,
            seeds: Object.values(privateKeysCachedLocally).every(Boolean),
            secret_storage: await this.crypto.isSecretStorageReady(),
            backup: await this.crypto.getActiveSessionBackupVersion(),
            backup_key: (await this.crypto.getSessionBackupPrivateKey()) !== null,
        };
    }

    // Until another device has given this one all secrets, of which it tells by no event.
    async given_secrets() {
        for (;;) {
            const { seeds, backup_key } = await this.state();
            if (seeds && backup_key) return;
            await new Promise((done) => setTimeout(done, 100));
        }
    }

    async backup_trust() {
        // Asked anew: the sdk remembers an earlier count.
        const path = "/room_keys/version";
        const info = await this.client.http.authedRequest("GET", path).catch(missing);
        return info && { version: info.version, count: info.count, ...(await this.crypto.isKeyBackupTrusted(info)) };
    }

    // Until the backup has every key this device has.
    async backed_up() {
        for (;;) {
            const moved = new Promise((done) => this.client.once(CryptoEvent.KeyBackupSessionsRemaining, done));
            const trust = await this.backup_trust();
            if (trust?.count === (await this.crypto.exportRoomKeys()).length) return trust.count;
            await moved;
        }
    }

    // Until a device is signed by an identity that this one trusts: signatures come some time after a verification.
    async device_verified({ user_id, device_id }) {
        while (!(await this.device({ user_id, device_id }))?.verified)
            await new Promise((done) => this.client.once(ClientEvent.Sync, done));
    }

    async device({ user_id, device_id }) {
        await this.crypto.getUserDeviceInfo([user_id], true);
        const status = await this.crypto.getDeviceVerificationStatus(user_id, device_id);
        return status && { signed_by_owner: status.signedByOwner, verified: status.crossSigningVerified };
    }

    // Until a person counts as verified: the signature is made some time after the verification has ended.
    async person_verified({ user_id }) {
        while (!(await this.person({ user_id })).verified) await new Promise((done) => setTimeout(done, 100));
    }

    async person({ user_id }) {
        await this.crypto.userHasCrossSigningKeys(user_id, true);
        const status = await this.crypto.getUserVerificationStatus(user_id);
        return { verified: status.isCrossSigningVerified(), known: status.known };
    }

    async session_keys() {
        return await this.crypto.exportRoomKeys();
    }

    async import_session_keys({ keys }) {
        await this.crypto.importRoomKeys(keys);
    }

    async export_file({ passphrase, rounds }) {
        return OlmMachine.encryptExportedRoomKeys(await this.crypto.exportRoomKeysAsJson(), passphrase, rounds);
    }

    async import_file({ file, passphrase }) {
        const keys = OlmMachine.decryptExportedRoomKeys(file, passphrase);
        await this.crypto.importRoomKeysAsJson(keys);
        return JSON.parse(keys).length;
    }

    async verification({ what, ...wanted }) {
        return await this.verifications[what](wanted);
    }

    // Inside

    async #key_id(keys) {
        const usual = await this.client.secretStorage.getDefaultKeyId();
        return usual in keys ? usual : Object.keys(keys)[0];
    }

    async #with_password(upload) {
        try {
            return await upload(null);
        } catch (error) {
            if (error.httpStatus !== 401 || !error.data?.session) throw error;
            const identifier = { type: "m.id.user", user: this.client.getUserId() };
            const session = error.data.session;
            return await upload({ type: "m.login.password", identifier, password: this.password, session });
        }
    }

    #listen() {
        const look = (event) => {
            const live = !event.status && event.getRoomId();
            if (live && wanted(event)) this.tell("message", shown(event));
        };
        this.client.on(RoomEvent.Timeline, (event) => look(event));
        this.client.on(MatrixEventEvent.Decrypted, look);
        this.client.on(RoomEvent.MyMembership, (room, membership) =>
            this.tell("membership", { room_id: room.roomId, membership }),
        );
    }

    async #synced() {
        while (![SyncState.Prepared, SyncState.Syncing].includes(this.client.getSyncState()))
            await new Promise((done) => this.client.once(ClientEvent.Sync, done));
    }

    // The room as joined, encrypted if the homeserver says so (a sync may fall between the first events of a room), and
    // with all its members, for whom messages are encrypted.
    async #room(room_id) {
        const path = `/rooms/${encodeURIComponent(room_id)}/state/m.room.encryption`;
        const encrypted = await this.client.http.authedRequest("GET", path).then(() => true, missing);
        for (;;) {
            const room = this.client.getRoom(room_id);
            const ready = !encrypted || (await this.crypto.isEncryptionEnabledInRoom(room_id));
            if (ready && room?.getMyMembership() === "join") {
                await room.loadMembersIfNeeded();
                return room;
            }
            await new Promise((done) => this.client.once(ClientEvent.Sync, done));
        }
    }
}

function missing(error) {
    if (error.httpStatus === 404) return null;
    throw error;
}

function wanted(event) {
    return event.getType() === "m.room.message" || sealed(event);
}

function sealed(event) {
    return event.isDecryptionFailure() || event.getType() === "m.room.encrypted";
}

function shown(event) {
    return {
        room_id: event.getRoomId(),
        event_id: event.getId(),
        sender: event.getSender(),
        encrypted: event.isEncrypted(),
        sealed: sealed(event),
        why: event.isDecryptionFailure() ? String(event.decryptionFailureReason) : "",
        content: event.getOriginalContent?.() ?? event.getContent(),
    };
}
